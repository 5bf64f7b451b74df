"""Names under which settings, jobs and numbers appear in MLflow."""

from pathlib import Path

import pytest
from mlflow.utils.validation import _validate_metric_name

from equipoise import files, layout, registry
from equipoise.section import Section
from equipoise.stages.job import Job
from equipoise.tracking import names


class Inner(Section):
    rate: float = 0.001
    layers: list[int] = [1, 2]
    none: int | None = None


class Outer(Section):
    inner: Inner = Inner()
    name: str = "a b"
    on: bool = True


def test_columns_of_history_become_groups() -> None:
    row = {
        "epoch": 3,
        "phase": "train",
        "learning_rate": 0.1,
        "train_loss": 2,
        "val_accuracy": 0.75,
        "val_accuracy_audio": 0.875,
        "val_accuracy_video": 0.5,
        "train_accuracy_video": 0.5,
        "method_coefficient_audio": 0.25,
    }
    assert names.metric_names(row) == {
        "train/learning_rate": 0.1,
        "train/loss": 2.0,
        "val/accuracy": 0.75,
        "val/accuracy_audio": 0.875,
        "val/accuracy_video": 0.5,
        "val/modality_gap": 0.375,
        "train/accuracy_video": 0.5,
        "method/coefficient_audio": 0.25,
    }


def test_what_mlflow_refuses_in_a_name_becomes_a_hyphen() -> None:
    values = {"subsets": {"audio+video": {"accuracy": 0.5}}, "cost": {"device": "cpu", "batch": 7}}
    named = names.metric_names(values)
    assert named == {"subsets/audio-video_accuracy": 0.5, "cost/batch": 7.0}
    for name in named:
        _validate_metric_name(name)


def test_nested_metrics_become_groups_and_keep_their_own_gap() -> None:
    metrics = {
        "test": {
            "samples": 10,
            "accuracy": 0.5,
            "accuracy_by_modality": {"a": 0.5, "b": 0.25},
            "modality_gap": 0.2,
            "confusion": [[1, 2], [3, 4]],
            "note": "1.5",
        },
        "test_unspoiled": None,
        "gap": {"bic": {"1": 5.0}, "identifiable": True, "auroc": float("nan")},
    }
    named = names.metric_names(metrics)
    assert str(named.pop("gap/auroc")) == "nan"
    assert named == {
        "test/samples": 10.0,
        "test/accuracy": 0.5,
        "test/accuracy_a": 0.5,
        "test/accuracy_b": 0.25,
        "test/modality_gap": 0.2,
        "gap/bic_1": 5.0,
        "gap/identifiable": 1.0,
    }


def test_settings_are_flattened() -> None:
    assert names.flatten(Outer().model_dump(mode="json")) == {
        "inner.rate": "0.001",
        "inner.layers": "[1, 2]",
        "name": "a b",
        "on": "true",
    }


def test_tags_of_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "method_of", lambda key: ("lfm", "heuristic", "slow"))
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("DVC_EXP_NAME", "late-bird")
    tags = names.tags_of(Job("train", "keypad", "lfm-heuristic-slow", seed=2), Outer())
    expected = {
        "stage": "train",
        "dataset": "keypad",
        "method": "lfm-heuristic-slow",
        "method_name": "lfm",
        "variant": "heuristic-slow",
        "seed": "2",
        "slurm_job": "17",
        "dvc_exp": "late-bird",
        "mlflow.source.name": "equipoise train",
    }
    assert {key: tags[key] for key in expected} == expected
    assert tags["run_key"].startswith("train/keypad/lfm-heuristic-slow/seed2/")


def test_tags_that_do_not_apply_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    tags = names.tags_of(Job("compare"), Outer())
    assert not {"dataset", "method", "variant", "seed", "slurm_job", "dvc_exp"} & tags.keys()


@pytest.mark.parametrize(
    ("job", "name"),
    [
        (Job("train", "keypad", "lfm-heuristic", 2), "seed2 lfm-heuristic train"),
        (Job("warmup", "keypad", seed=0), "seed0 warmup"),
        (Job("extract", "keypad"), "extract"),
        (Job("compare"), "compare"),
    ],
)
def test_run_names(job: Job, name: str) -> None:
    assert names.run_name(job) == name


def test_run_key_follows_settings_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = Job("warmup", "toy", seed=1)

    def key(settings: Outer) -> str:
        return names.tags_of(job, settings)["run_key"]

    first = key(Outer())
    assert key(Outer()) == first
    assert key(Outer(name="other")) != first
    raw = layout.raw("toy")
    files.write_text(raw["manifest"], "a")
    files.write_text(raw["checksums"], "b")
    assert key(Outer()) != first
