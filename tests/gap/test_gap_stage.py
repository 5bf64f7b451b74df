"""Stage gap on the toy project: its files, their agreement, and its refusals."""

import csv
import json
from collections import Counter

import numpy as np
import pytest
import toy_data

from equipoise import layout
from equipoise.errors import UserError
from equipoise.gap.artefacts import read_gap
from equipoise.gap.mixture import Mixture, posterior_imbalanced
from equipoise.gap.plot import draw_histogram
from equipoise.gap.scores import check_modalities
from equipoise.params import Gap
from equipoise.stages import gap as stage
from equipoise.stages import warmup


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def warm(modalities=("audio", "video"), **settings):
    toy_data.write_project(modalities)
    warmup.run(toy_data.job("warmup"), toy_data.warmup_settings(**settings))


@pytest.mark.parametrize("scores", ["heads", "split"])
def test_the_files_agree_with_each_other_and_with_the_split(scores):
    warm()
    settings = toy_data.GAP.model_copy(update={"scores": scores})
    stage.run(toy_data.job("gap"), settings)
    paths = layout.gap("toy", "0")
    rows, fit = table(paths["gap"]), json.loads(paths["fit"].read_text())
    train = toy_data.splits()["train"]
    assert [row["sample_id"] for row in rows] == [f"clip{i:03d}" for i in train]
    assert [row["label"] for row in rows] == [toy_data.CLASSES[i % 3] for i in train]
    audio, video, gaps = (
        np.array([float(row[name]) for row in rows])
        for name in ("score_audio", "score_video", "gap")
    )
    np.testing.assert_allclose(gaps, np.abs(audio - video), atol=1e-12)
    read = read_gap(paths, [f"clip{i:03d}" for i in range(60)], settings)
    posterior = np.array([float(row["posterior_imbalanced"]) for row in rows])
    np.testing.assert_allclose(posterior_imbalanced(gaps, read.mixture), posterior, rtol=1e-9)
    assert read.scores == scores and not read.signed
    assert set(read.subset) <= set(train)
    assert fit["subset"]["samples"] == len(read.subset) == sum(fit["subset"]["per_class"].values())
    assert min(fit["subset"]["per_class"].values()) > 0
    kept, every = (Counter(row["label"] for row in r) for r in (table(paths["subset"]), rows))
    assert fit["subset"]["per_class"] == kept
    assert fit["subset"]["part_per_class"] == {c: kept[c] / every[c] for c in toy_data.CLASSES}
    label_of = {row["sample_id"]: row["label"] for row in rows}
    assert all(row["label"] == label_of[row["sample_id"]] for row in table(paths["subset"]))
    assert 0 <= fit["accuracy_audio"] <= 1 and 0 <= fit["accuracy_video"] <= 1


@pytest.mark.parametrize("kind", ["monotone", "bayes"])
def test_the_posterior_that_was_asked_for_is_written_and_read_again(kind):
    warm()
    stage.run(toy_data.job("gap"), toy_data.GAP.model_copy(update={"posterior": kind}))
    paths, ids = layout.gap("toy", "0"), [f"clip{i:03d}" for i in range(60)]
    read = read_gap(paths, ids, toy_data.GAP)
    assert read.posterior == kind
    gaps, written = (
        np.array([float(row[name]) for row in table(paths["gap"])])
        for name in ("gap", "posterior_imbalanced")
    )
    np.testing.assert_allclose(posterior_imbalanced(gaps, read.mixture, kind), written, rtol=1e-9)


def test_running_again_writes_the_same_bytes():
    warm()
    stage.run(toy_data.job("gap"), toy_data.GAP)
    first = {name: path.read_bytes() for name, path in layout.gap("toy", "0").items()}
    stage.run(toy_data.job("gap"), toy_data.GAP)
    assert {n: p.read_bytes() for n, p in layout.gap("toy", "0").items()} == first


def test_three_modalities_use_the_range():
    warm(("audio", "image", "video"))
    stage.run(toy_data.job("gap"), toy_data.GAP)
    for row in table(layout.gap("toy", "0")["gap"]):
        scores = [float(row[f"score_{m}"]) for m in ("audio", "image", "video")]
        assert float(row["gap"]) == pytest.approx(max(scores) - min(scores))


def test_without_two_components_the_subset_is_everything():
    warm()
    stage.run(toy_data.job("gap"), Gap(min_separation=0.99))
    paths = layout.gap("toy", "0")
    fit = json.loads(paths["fit"].read_text())
    assert not fit["identifiable"] and fit["reason"]
    assert {row["posterior_imbalanced"] for row in table(paths["gap"])} == {"0.5"}
    assert len(table(paths["subset"])) == len(toy_data.splits()["train"])


def test_one_modality_has_no_gap_and_its_graph_goes_on():
    """The stage was refused, also where no method continues from the warm-up."""
    warm(("video",))
    stage.run(toy_data.job("gap"), toy_data.GAP)
    paths = layout.gap("toy", "0")
    assert not json.loads(paths["fit"].read_text())["identifiable"]
    assert {(float(r["gap"]), r["posterior_imbalanced"]) for r in table(paths["gap"])} == {
        (0.0, "0.5")
    }
    assert len(table(paths["subset"])) == len(toy_data.splits()["train"])
    with pytest.raises(UserError, match="two modalities or more"):  # whoever reads it
        check_modalities(["video"], signed=False)


def test_a_signed_gap_of_three_is_refused_before_anything():
    toy_data.write_project(("audio", "image", "video"))
    with pytest.raises(UserError, match="signed gap is defined for two"):
        stage.run(toy_data.job("gap"), toy_data.GAP.model_copy(update={"signed": True}))


def test_a_missing_warmup_is_named():
    toy_data.write_project()
    with pytest.raises(UserError, match=r"models/warmup/toy/seed0/model\.json"):
        stage.run(toy_data.job("gap"), toy_data.GAP)


def test_scores_by_split_need_an_additive_fusion():
    warm(model=toy_data.MODEL.model_copy(update={"fusion": "gated"}))
    with pytest.raises(UserError, match="'gated' cannot be split"):
        stage.run(toy_data.job("gap"), toy_data.GAP.model_copy(update={"scores": "split"}))


def test_the_picture_says_when_nothing_was_found(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    titles = []
    monkeypatch.setattr(
        Axes, "set_title", lambda self, text, **k: titles.append(text), raising=True
    )
    gaps = np.linspace(0, 1, 50)
    found = Mixture(means=(0.1, 0.7), variances=(0.01, 0.04), weights=(0.6, 0.4), identifiable=True)
    draw_histogram(tmp_path / "a.png", gaps, found, False, "toy")
    draw_histogram(tmp_path / "b.png", gaps, Mixture(reason="all gaps are equal"), False, "toy")
    assert titles == ["toy", "toy — not identifiable: all gaps are equal"]
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_another_split_after_the_warm_up_is_refused():
    """Its test samples may be among those that the warm-up, or the subset, was made from."""
    warm()
    kept = layout.split("toy")["split"].read_text()
    moved = kept.replace(",train", ",x").replace(",test", ",train").replace(",x", ",test")
    refused = pytest.raises(UserError, match=r"another split\.csv; run stage warmup again")
    with toy_data.another_split(moved), refused:
        stage.run(toy_data.job("gap"), toy_data.GAP)
    stage.run(toy_data.job("gap"), toy_data.GAP)
    with toy_data.another_split(moved):
        with pytest.raises(UserError, match=r"another split\.csv; run stage warmup again"):
            toy_data.run_train("gmm-purified", {"finetune_epochs": 1}, warm=True)
        warmup.run(toy_data.job("warmup"), toy_data.warmup_settings())
        with pytest.raises(UserError, match="another split; run stage gap again"):
            toy_data.run_train("gmm-purified", {"finetune_epochs": 1}, warm=True)
