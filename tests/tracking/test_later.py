"""Runs that are imported when all jobs are over: what Snakemake asks for on one machine."""

import os
from pathlib import Path
from typing import Any

import pytest
from tracked import Settings

from equipoise import layout, tracking
from equipoise.stages.job import Job
from equipoise.tracking import bring_in, journal, store

JOB = Job("warmup", "toy", seed=3)
FOLDER = layout.state("tracking")


@pytest.fixture(autouse=True)
def later(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EQUIPOISE_TRACKING", "later")


def runs() -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracking.store_uri())
    found = client.get_experiment_by_name("toy")
    return list(client.search_runs([found.experiment_id])) if found else []


def train() -> None:
    with tracking.run(JOB, Settings()) as run:
        for epoch in range(3):
            run.metrics({"val_loss": 1 / (1 + epoch)}, step=epoch)


def shown(run: Any) -> tuple[Any, ...]:
    tags = {k: v for k, v in run.data.tags.items() if k != store.JOURNAL}
    return run.info.status, run.data.params, run.data.metrics, tags


def test_a_short_run_waits_for_the_import_and_is_then_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train()
    assert runs() == []
    assert len(list(FOLDER.iterdir())) == 1
    bring_in.import_runs(FOLDER, tracking.store_uri(), remove=True)
    (imported,) = runs()
    assert list(FOLDER.glob("[!.]*")) == []
    monkeypatch.delenv("EQUIPOISE_TRACKING")
    train()
    (sent,) = runs()
    assert sent.info.run_id != imported.info.run_id
    assert shown(sent) == shown(imported)


@pytest.mark.parametrize("long_after", [0, 1, 3])
def test_a_run_that_lasts_is_sent_from_then_on_and_whole(
    monkeypatch: pytest.MonkeyPatch, long_after: int
) -> None:
    """Its records, and their number, are all there, whenever it turned out to be long."""
    with tracking.run(JOB, Settings()) as run:
        for epoch in range(4):
            if epoch == long_after:
                monkeypatch.setattr(run._target, "_due", 0.0)
            run.metrics({"val_loss": 1 / (1 + epoch)}, step=epoch)
    (sent,) = runs()
    assert sent.info.status == "FINISHED"
    assert sent.data.metrics["val/loss"] == 0.25
    assert sent.data.tags[store.RECORDS] == "6"  # the start, four epochs, the end
    assert list(FOLDER.iterdir()) == []


def test_the_end_alone_does_not_make_a_run_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with tracking.run(JOB, Settings()) as run:
        monkeypatch.setattr(run._target, "_due", 0.0)
    assert runs() == []
    assert len(list(FOLDER.iterdir())) == 1


def test_without_a_journal_there_is_nothing_to_import_so_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(journal.Journal, "append", full)
    train()
    (sent,) = runs()
    assert sent.info.status == "FINISHED"
    assert sent.data.metrics["val/loss"] == pytest.approx(1 / 3)


def test_a_server_that_is_named_is_used_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.store_uri())
    train()
    assert [run.info.status for run in runs()] == ["FINISHED"]
