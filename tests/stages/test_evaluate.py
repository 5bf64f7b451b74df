import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import toy_data
from sklearn.metrics import f1_score

from equipoise import files, layout, tracking, vouch
from equipoise.errors import UserError
from equipoise.evaluation.prediction_cost import REPEATS
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.params import Compare, CompareJob, Evaluate
from equipoise.stages import compare, evaluate
from equipoise.stages.job import Job
from equipoise.training.inference import load_model, predict

COUNT = 60


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with one trained model; every test of this module reads it."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", "")
        toy_data.write_project(count=COUNT)
        write_manifest()
        toy_data.run_train("joint")
    return folder


@pytest.fixture(autouse=True)
def inside(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def write_manifest(corruption=lambda i: "none" if i % 3 else "audio:noise"):
    rows = [
        {"sample_id": f"clip{i:03d}", "label": f"label {i % 2}", "split": "", "group": ""}
        for i in range(COUNT)
    ]
    if corruption:
        rows = [row | {"corruption": corruption(i)} for i, row in enumerate(rows)]
    files.write_csv(layout.raw("toy")["manifest"], list(rows[0]), rows)


def run(batch_size=7):
    evaluate.run(toy_data.job("evaluate", "joint"), Evaluate(batch_size=batch_size))
    outputs = layout.evaluate("toy", "joint", "0")
    with outputs["predictions"].open(newline="", encoding="utf-8") as file:
        return json.loads(outputs["metrics"].read_text()), list(csv.DictReader(file))


def without_time(metrics):
    """What is the same each time: everything but cost.seconds_per_sample, and the digest of it."""
    cost = {k: v for k, v in metrics["cost"].items() if k != "seconds_per_sample"}
    assert len(cost) == len(metrics["cost"]) - 1
    same = {k: v for k, v in metrics.items() if k != vouch.OWN}
    return same | {"cost": cost}


def test_identity_and_shape(caplog):
    with caplog.at_level("INFO"):
        metrics, _ = run()
    # The damaged features are read row by row, but not as there are so many of them.
    assert "resident_gib" not in caplog.text
    card = json.loads(layout.train("toy", "joint", "0")["model"].read_text())
    assert metrics["method"] == "joint"
    assert metrics["name"] == "joint"
    assert metrics["seed"] == 0
    assert metrics["classes"] == toy_data.CLASSES
    assert (metrics["epoch"], metrics["selection"]) == (card["epoch"], "validation")
    assert metrics["model_sha256"] == files.sha256(layout.train("toy", "joint", "0")["weights"])
    assert np.shape(metrics["test"]["confusion"]) == (3, 3)
    assert set(metrics["test"]["accuracy_by_modality"]) == {"audio", "video"}


def test_metrics_follow_from_the_predictions():
    metrics, rows = run()
    test = toy_data.splits(COUNT)["test"]
    assert [row["sample_id"] for row in rows] == [f"clip{i:03d}" for i in test]
    truth = [toy_data.CLASSES[i % 3] for i in test]
    assert [row["label"] for row in rows] == truth
    for column, accuracy, f1 in (
        ("predicted", metrics["test"]["accuracy"], metrics["test"]["macro_f1"]),
        (
            "predicted_video",
            metrics["test"]["accuracy_by_modality"]["video"],
            metrics["test"]["macro_f1_by_modality"]["video"],
        ),
    ):
        predicted = [row[column] for row in rows]
        right = [a == b for a, b in zip(truth, predicted, strict=True)]
        assert accuracy == pytest.approx(np.mean(right))
        assert f1 == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)


def test_validation_equals_the_history_of_the_kept_epoch():
    metrics, _ = run()
    with layout.train("toy", "joint", "0")["history"].open() as file:
        kept = list(csv.DictReader(file))[metrics["epoch"] - 1]
    assert metrics["val"]["accuracy"] == pytest.approx(float(kept["val_accuracy"]))
    audio = metrics["val"]["accuracy_by_modality"]["audio"]
    assert audio == pytest.approx(float(kept["val_accuracy_audio"]))


def test_unspoiled_clips_alone():
    metrics, rows = run()
    keep = [row for row in rows if int(row["sample_id"][4:]) % 3]
    assert metrics["test_unspoiled"]["samples"] == len(keep) < len(rows)
    right = np.mean([row["label"] == row["predicted"] for row in keep])
    assert metrics["test_unspoiled"]["accuracy"] == pytest.approx(right)


@pytest.mark.parametrize("corruption", [None, lambda i: "video:noise"])
def test_no_unspoiled_score(corruption):
    write_manifest(corruption)
    try:
        assert run()[0]["test_unspoiled"] is None
    finally:
        write_manifest()


def test_batch_size_and_repetition_change_nothing_but_the_time():
    first, rows = run()
    predictions = layout.evaluate("toy", "joint", "0")["predictions"]
    before = predictions.read_bytes()
    again, _ = run()
    assert without_time(again) == without_time(first)
    assert predictions.read_bytes() == before
    other, other_rows = run(batch_size=1)
    for name in ("accuracy", "macro_f1", "confusion", "accuracy_by_modality"):
        assert other["test"][name] == first["test"][name]
    assert other["test"]["ece"] == pytest.approx(first["test"]["ece"], abs=1e-6)
    assert other["subsets"] == first["subsets"]
    assert [row["predicted"] for row in other_rows] == [row["predicted"] for row in rows]


def test_subsets_are_what_predicting_from_them_gives():
    metrics, _ = run()
    test = toy_data.splits(COUNT)["test"]
    loaded = load_model(layout.train("toy", "joint", "0")["model"].parent)
    store = toy_data.MemoryStore(count=COUNT)
    for present in (["audio"], ["video"], ["audio", "video"]):
        logits = predict(loaded, store, test, "cpu", present=present).logits
        accuracy = np.mean(logits.argmax(1) == store.labels[test])
        assert metrics["subsets"]["+".join(present)]["accuracy"] == pytest.approx(accuracy)
    train = store.labels[toy_data.splits(COUNT)["train"]]
    majority = np.bincount(train).argmax()
    empty = np.mean(store.labels[test] == majority)
    assert metrics["subsets"]["none"]["accuracy"] == pytest.approx(empty)
    total = metrics["test"]["accuracy"] - empty
    assert sum(metrics["shapley"].values()) == pytest.approx(total)
    assert set(metrics["shapley"]) == {"audio", "video"}


def test_every_number_is_tracked(monkeypatch):
    seen = {}
    monkeypatch.setattr(tracking.Run, "metrics", lambda self, values: seen.update(values))
    metrics, _ = run()
    numbers = {"val", "test", "subsets", "shapley", "robustness", "cost"}
    assert seen == {name: metrics[name] for name in numbers}


def test_encoders_run_for_the_splits_and_the_cost_alone(monkeypatch):
    """The subsets are scored on features that are there already."""
    encoded = []
    encode = MultimodalClassifier.encode
    monkeypatch.setattr(
        MultimodalClassifier,
        "encode",
        lambda self, batch: encoded.append(len(next(iter(batch.values())))) or encode(self, batch),
    )
    run(batch_size=100)
    sizes = {name: len(rows) for name, rows in toy_data.splits(COUNT).items()}
    timed = [1] + [sizes["test"]] * (1 + REPEATS)
    damaged = [sizes["test"]] * 2 * 4  # two modalities, the severities above 0
    assert encoded == [sizes["val"], sizes["test"], *damaged, *timed]


def test_test_clips_do_not_touch_validation():
    """The test split may vanish: what was chosen and measured on validation stays."""
    before = run()[0]
    lines = layout.split("toy")["split"].read_text().splitlines(keepends=True)
    tests = [line for line in lines if ",test" in line]
    with toy_data.another_split("".join(line for line in lines if line not in tests[1:])):
        after = run()[0]
    assert after["test"]["samples"] == 1
    assert after["val"] == before["val"]
    assert (after["epoch"], after["model_sha256"]) == (before["epoch"], before["model_sha256"])


def test_no_test_clip_is_one_line():
    lines = layout.split("toy")["split"].read_text().splitlines(keepends=True)
    without = "".join(line for line in lines if ",test" not in line)
    with toy_data.another_split(without), pytest.raises(UserError, match="no sample to score"):
        run()


def test_report_of_a_real_run():
    run()
    features = layout.features("toy")
    files.write_csv(features["rejects"], ["sample_id", "path", "reason"], [])
    vouch.write(features["record"], {}, features["rejects"])
    grid = CompareJob(compare=Compare(), datasets=["toy"], methods=["joint"], seeds=[0])
    compare.run(Job("compare"), grid)
    page = layout.compare()["report"].read_text()
    assert "nothing else was run to compare it with" in page
    assert files.sha256(layout.train("toy", "joint", "0")["weights"]) in page


def test_a_model_of_another_split_is_refused():
    lines = layout.split("toy")["split"].read_text().splitlines(keepends=True)
    swapped = {",train": ",test", ",test": ",train"}
    moved = [re.sub(",(train|test)", lambda found: swapped[found[0]], line) for line in lines]
    refused = pytest.raises(UserError, match=r"another split\.csv; run stage train again")
    with toy_data.another_split("".join(moved)), refused:
        run()


def test_a_job_imports_no_library_that_it_does_not_need():
    """These take longer to import than a small data set takes to evaluate."""
    program = (
        "import sys, toy_data\n"
        "from equipoise.params import Evaluate\n"
        "from equipoise.stages import evaluate\n"
        "evaluate.run(toy_data.job('evaluate', 'joint'), Evaluate(batch_size=7))\n"
        "heavy = 'sklearn', 'scipy', 'pandas', 'mlflow', 'torch._dynamo', 'matplotlib'\n"
        "sys.exit(' '.join(name for name in heavy if name in sys.modules) or 0)\n"
    )
    path = os.pathsep.join([str(Path(toy_data.__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[-1:]) == (0, [])
