"""A modality at chance alone is said in one line, without the test split."""

import json

import numpy as np
import pytest
import torch
import toy_data
from scipy.stats import binomtest
from toy_data import CLASSES

from equipoise import cli, layout, vouch
from equipoise.errors import UserError
from equipoise.evaluation import alone
from equipoise.store.features import FeatureStore
from equipoise.store.inputs import identity
from equipoise.training import probe

COUNT = 240


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Features of which video is noise: the classes of its samples are dealt anew."""
    monkeypatch.chdir(tmp_path)
    toy_data.write_project(count=COUNT)
    data, labels = toy_data.arrays(("audio", "video"), COUNT)
    data["video"] = data["video"][np.random.default_rng(1).permutation(COUNT)]
    ids = [f"clip{i:03d}" for i in range(COUNT)]
    path = layout.features("toy")["features"]
    toy_data.write_store(path, data, labels, ids, {m: toy_data.TABLES[m] for m in data})
    with FeatureStore(path) as store:
        place = layout.embed("toy")["embeddings"]
        toy_data.write_store(place, {}, labels, ids, {}, features=identity(store))


def test_a_linear_model_tells_noise_from_a_modality_that_knows(project):
    found = probe.probe("toy")
    audio, video = found["audio"], found["video"]
    assert audio.samples == video.samples == 48
    truth = np.arange(COUNT)[toy_data.splits(COUNT)["val"]] % len(CLASSES)
    assert audio.chance == np.bincount(truth).max() / 48
    assert audio.accuracy > 0.9 and not audio.at_chance
    assert abs(video.accuracy - video.chance) < 0.2 and video.at_chance
    assert alone.line("audio", audio).startswith("note: modality 'audio' alone: a linear model of ")
    assert alone.line("video", video).startswith("warning: modality 'video' alone: ")
    assert ": at chance; look at" in alone.line("video", video)


def test_the_test_split_is_not_read(project):
    """Other labels and samples there change nothing."""
    before = probe.probe("toy")
    test = toy_data.splits(COUNT)["test"]
    data, labels = toy_data.arrays(("audio", "video"), COUNT)
    path = layout.features("toy")["features"]
    with FeatureStore(path) as store:
        data = {m: store.rows(m, 0, COUNT).copy() for m in data}
    for values in data.values():
        values[test] = 0
    labels[test] = 0
    ids = [f"clip{i:03d}" for i in range(COUNT)]
    toy_data.write_store(path, data, labels, ids, {m: toy_data.TABLES[m] for m in data})
    assert probe.probe("toy") == before


def write_metrics(method, seed, right, counts=(30, 20)):
    """Metrics of a run with ``right`` as each modality's accuracy on validation."""
    record = {
        "method": method,
        "val": {"accuracy_by_modality": right, "confusion": [[counts[0], 0], [5, counts[1] - 5]]},
        "test": {"accuracy_by_modality": dict.fromkeys(right, 1.0)},
    }
    vouch.write(layout.evaluate("toy", method, str(seed))["metrics"], record)


def test_results_of_the_best_method_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert alone.trained("toy") == {}
    write_metrics("joint", 0, {"audio": 0.9, "video": 0.58})
    write_metrics("joint", 1, {"audio": 0.8, "video": 0.62})
    write_metrics("ogm", 0, {"audio": 0.5, "video": 0.64})
    found = alone.trained("toy")
    assert found["audio"].accuracy == pytest.approx(0.85)
    assert (found["video"].accuracy, found["video"].samples, found["video"].chance) == (
        *(0.64, 50),
        0.6,
    )
    limits = binomtest(32, 50).proportion_ci(0.95, method="wilson")
    assert found["video"].limits == (limits.low, limits.high)
    assert not found["audio"].at_chance and found["video"].at_chance
    assert alone.line("video", found["video"]) == (
        "warning: modality 'video' alone: its head in ogm, the best of 2 method(s), has 64.0 % of "
        f"50 validation samples right (95 % interval {100 * limits.low:.1f} to "
        f"{100 * limits.high:.1f}), always answering the most frequent class 60.0 %: at chance; "
        "look at its settings and its encoder before anything is said about balance"
    )
    path = layout.evaluate("toy", "ogm", "0")["metrics"]
    path.write_text(path.read_text().replace("0.64", "0.94"))
    with pytest.raises(UserError, match=f"^{path}: changed since it was written"):
        alone.trained("toy")


def test_numbers_are_pooled_and_tokens_are_counted():
    values = torch.arange(2 * 3 * 5000, dtype=torch.float32).reshape(2, 3, 5000)
    found = probe.pooled(values)
    assert found.shape == (2, 3 * 625)  # three times halved
    assert found[0, 0] == values[0, 0, :8].mean()
    assert found[1, -1] == values[1, 2, -8:].mean()
    assert probe.pooled(torch.zeros(1, 2049)).shape == (1, 1025)  # the odd one stays
    ids = torch.tensor([[[7, 7, 9, 0], [1, 1, 1, 0]]])
    counts = probe.pooled(ids)[0]
    assert (counts[7], counts[9], counts[0], counts.sum()) == (2, 1, 0, 3)


def test_check_says_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own"
    folder.mkdir()
    rows = [f"s{n},c{n % 2},,,words of {n}" for n in range(12)]
    (folder / "manifest.csv").write_text("\n".join(["sample_id,label,split,group,text", *rows]))
    text = {"kind": "text", "column": "text", "inline": True, "tokenizer": "bytes", "length": 8}
    tree = {
        "datasets": {"toy": {"download": {"folder": "own"}, "modalities": {"text": text}}},
        "methods": {"from_scratch": {"joint": {}}},
        "seeds": [0],
    }
    (tmp_path / "params.yaml").write_text(json.dumps(tree))
    write_metrics("joint", 0, {"text": 0.6})
    for asked in ("own", "toy"):  # by folder, or by name
        assert cli.main(["check", asked, "--quick"]) == 0
        shown = capsys.readouterr().out
        assert "warning: modality 'text' alone: its head in joint" in shown
    assert cli.main(["check", "toy", "--quick", "--probe"]) == 2
    assert "features.h5" in capsys.readouterr().err
    (tmp_path / "params.yaml").unlink()
    assert cli.main(["check", "own", "--quick", "--probe"]) == 2
    assert "enter the folder into params.yaml first" in capsys.readouterr().err
