"""The plug-in in real runs: when and on what the mixture is fitted, and what purification sees."""

import json

import numpy as np
import pytest
import torch
import toy_data
from torch.nn import functional
from toy_data import history

from equipoise import layout, vouch
from equipoise.methods.gmm import method as gmm
from equipoise.stages import gap as stage

LONGER = toy_data.TRAIN.model_copy(update={"epochs": 8})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    toy_data.run_warmup()


@pytest.fixture
def watched(monkeypatch):
    """Epoch to what happened in it.

    Fits of the mixture, rows of its batches, the mixture, and by which part of the plain loss each
    batch's loss is above it.
    """
    seen = {}
    start, fit, loss = gmm.Gmm.on_epoch_start, gmm.fit_mixture, gmm.Gmm.loss

    def on_epoch_start(self, epoch):
        seen[epoch] = {"fits": [], "rows": set(), "surplus": []}
        plan = start(self, epoch)
        seen[epoch]["mixture"] = self._mixture
        return plan

    def fit_mixture(gaps, settings):
        if seen:
            seen[max(seen)]["fits"].append(len(gaps))
        return fit(gaps, settings)

    def watch(self, output, batch):
        value = loss(self, output, batch)
        plain = functional.cross_entropy(output.logits, batch.labels)
        for logits in output.modality_logits.values():
            plain = plain + functional.cross_entropy(logits, batch.labels)
        epoch = seen[max(seen)]
        epoch["rows"] |= set(batch.rows.tolist())
        epoch["surplus"].append(float((value - plain).detach()) / float(plain.detach()))
        return value

    monkeypatch.setattr(gmm.Gmm, "on_epoch_start", on_epoch_start)
    monkeypatch.setattr(gmm.Gmm, "loss", watch)
    monkeypatch.setattr(gmm, "fit_mixture", fit_mixture)
    return seen


@pytest.mark.parametrize(("every", "refits"), [(1, [4, 5, 6, 7, 8]), (2, [5, 7]), (9, [])])
def test_the_mixture_is_fitted_again_at_its_interval_on_the_training_split(watched, every, refits):
    toy_data.run_train("gmm-adaptive", {"refit_every": every}, warm=True, train=LONGER)
    assert list(watched) == [3, 4, 5, 6, 7, 8]
    assert [epoch for epoch, seen in watched.items() if seen["fits"]] == refits
    assert all(seen["fits"] in ([], [36]) for seen in watched.values())
    means = json.loads(layout.gap("toy", "0")["fit"].read_text())["means"]
    assert watched[3]["mixture"].means == tuple(means)


@pytest.mark.parametrize("kind", [{"scores": "split"}, {"signed": True}])
def test_another_kind_of_gap_than_stage_gap_s_is_fitted_before_the_first_epoch(watched, kind):
    """The mixture is what stage gap finds when it measures that kind of gap itself."""
    toy_data.run_train("gmm-adaptive", kind, warm=True)
    stage.run(toy_data.job("gap"), toy_data.GAP.model_copy(update=kind))
    fit = json.loads(layout.gap("toy", "0")["fit"].read_text())
    for name in ("means", "variances", "weights"):
        np.testing.assert_allclose(getattr(watched[3]["mixture"], name), fit[name], rtol=1e-3)


@pytest.mark.parametrize("before", ["plain", "adaptive"])
def test_purification_fine_tunes_plainly_on_the_subset_alone(watched, before):
    train = set(toy_data.splits()["train"].tolist())
    wanted = set(sorted(train)[::2])
    ids = "\n".join(f"clip{row:03d},one" for row in wanted)
    gap = layout.gap("toy", "0")
    gap["subset"].write_text(f"sample_id,label\n{ids}\n")
    fit = json.loads(gap["fit"].read_text())
    vouch.write(gap["fit"], fit, gap["gap"], gap["subset"])
    options = {"loss": before, "lambda1": 5.0, "finetune_epochs": 2, "finetune_factor": 0.25}
    rows = history(toy_data.run_train("gmm-purified", options, warm=True, train=LONGER))
    assert [row["phase"] for row in rows] == ["train"] * 4 + ["finetune"] * 2
    for epoch in (3, 4, 5, 6):
        assert watched[epoch]["rows"] == train
        surplus = torch.tensor(watched[epoch]["surplus"])
        assert bool((surplus > 0.1).all()) == (before == "adaptive")
    for epoch in (7, 8):
        assert watched[epoch]["rows"] == wanted
        # The same mean and the same sum in float32, maybe in another order: of the 36 samples of
        # the split, and of three terms.
        assert max(map(abs, watched[epoch]["surplus"])) < (36 + 3) * torch.finfo(torch.float32).eps
    rates = [float(row["learning_rate"]) for row in rows[-2:]]
    assert rates == pytest.approx([0.25 * LONGER.learning_rate] * 2)
