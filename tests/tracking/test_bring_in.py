"""Runs logged without a server arrive later, each once."""

import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tracked import Settings

from equipoise import cli, layout, tracking
from equipoise.errors import UserError
from equipoise.stages.job import Job
from equipoise.tracking import bring_in, journal, store

JOB = Job("warmup", "toy", seed=3)
FOLDER = layout.state("tracking")


@pytest.fixture
def offline(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: jobs run as on a compute node that reaches no server."""
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    return project


def uri() -> str:
    return f"{store.SQLITE}{Path.cwd() / 'mlflow.db'}"


def bring(**options: bool) -> dict[str, int]:
    return dict(bring_in.import_runs(FOLDER, uri(), **options))


def client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri())


def runs(deleted: bool = False) -> list[Any]:
    from mlflow.entities import ViewType

    found = client().get_experiment_by_name("toy")
    view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
    return list(client().search_runs([found.experiment_id], run_view_type=view)) if found else []


def train(job: Job = JOB, settings: Settings | None = None, epochs: int = 3) -> None:
    Path("history.csv").write_text(f"{job.name}\n")
    with tracking.run(job, settings or Settings()) as run:
        for epoch in range(epochs):
            run.metrics({"val_loss": 1 / (1 + epoch), "val_accuracy": 0.5}, step=epoch)
        run.artifact(Path("history.csv"))
        run.tags({"epoch": 2})


def test_an_imported_run_is_the_run_that_was_logged(offline: Path) -> None:
    train()
    (folder,) = FOLDER.iterdir()
    written, _ = journal.read(folder)
    Path("history.csv").unlink()  # Snakemake deletes outputs; the journal has its own
    assert bring() == {"imported": 1}
    (run,) = runs()
    assert (run.info.status, run.info.run_name) == ("FINISHED", "seed3 warmup")
    assert run.info.start_time == written.time <= run.info.end_time
    assert run.data.params == {"epochs": "2", "name": "x"}
    assert (run.data.tags["epoch"], run.data.tags["slurm_job"]) == ("2", "1")
    history = client().get_metric_history(run.info.run_id, "val/loss")
    assert [(m.step, m.value) for m in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert all(written.time <= m.timestamp <= run.info.end_time for m in history)
    (file,) = (offline / "mlruns").rglob("history.csv")
    assert file.read_text() == "toy/seed3\n"


def test_a_second_import_changes_nothing(offline: Path) -> None:
    for seed in range(3):
        train(Job("warmup", "toy", seed=seed))
    assert bring() == {"imported": 3}
    before = [run.to_dictionary() for run in runs()]
    assert bring() == {"there": 3}
    assert [run.to_dictionary() for run in runs()] == before
    assert runs(deleted=True) == []
    assert bring(remove=True) == {"there": 3}
    assert list(FOLDER.glob("*")) == [FOLDER / ".lock"]
    assert bring() == {}


@pytest.mark.parametrize("calls", range(1, 8))
def test_an_interrupted_import_is_completed(
    offline: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """The store fails at the n-th of the calls that send something."""
    from mlflow import MlflowClient

    train()
    left = calls

    def failing(name: str) -> Any:
        real = getattr(MlflowClient, name)

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise ConnectionError("gone")
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("create_run", "log_batch", "log_artifact", "set_terminated"):
            patch.setattr(MlflowClient, name, failing(name))
        with pytest.raises(UserError, match=r"gone; .* the same command continues"):
            bring()
    assert len(runs()) == (calls > 1)
    assert bring() == {"imported": 1}
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert len(client().get_metric_history(run.info.run_id, "val/loss")) == 3
    assert bring() == {"there": 1}


def test_a_server_that_dies_midway_loses_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def die(*_: object) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", die)
        train()
    assert [run.info.status for run in runs()] == ["RUNNING"]
    assert bring() == {"imported": 1}
    (run,) = runs()
    assert (run.info.status, run.data.tags["epoch"]) == ("FINISHED", "2")
    assert client().list_artifacts(run.info.run_id)[0].path == "history.csv"
    assert bring() == {"there": 1}


def test_what_arrived_at_once_leaves_no_journal(project: Path) -> None:
    train()
    assert list(FOLDER.iterdir()) == []


def test_a_run_deleted_in_the_ui_stays_deleted(offline: Path) -> None:
    train()
    bring()
    client().delete_run(runs()[0].info.run_id)
    assert bring() == {"there": 1}
    assert runs() == []


def test_only_the_last_of_several_executions_stays(offline: Path, empty_store: Path) -> None:
    """Whether they are imported together or the earlier one after the later one."""
    train(epochs=1)
    train(epochs=2)
    assert bring() == {"imported": 2}
    (run,) = runs()
    assert len(client().get_metric_history(run.info.run_id, "val/loss")) == 2
    assert len(runs(deleted=True)) == 1
    early, _ = sorted(FOLDER.glob("[!.]*"), key=lambda f: journal.read(f)[0].time)
    Path("other").mkdir()
    hidden = early.rename("other/early")
    shutil.copy(empty_store, "other.db")
    other = f"{store.SQLITE}{Path.cwd() / 'other.db'}"
    assert bring_in.import_runs(FOLDER, other) == {"imported": 1}
    assert bring_in.import_runs(hidden.parent, other) == {"replaced": 1}


def test_a_run_still_written_is_left_and_a_killed_one_can_be_had(offline: Path) -> None:
    code = (
        f"import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from tracked import Settings\n"
        "from equipoise import tracking\n"
        "from equipoise.stages.job import Job\n"
        "with tracking.run(Job('warmup', 'toy', seed=3), Settings()) as run:\n"
        "    run.metrics({'val_loss': 1.0})\n"
        "    print('logged', flush=True)\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    assert bring() == {"open": 1}
    assert runs() == []
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (folder,) = FOLDER.glob("[!.]*")
    with (folder / journal.FILE).open("a") as file:
        file.write('{"kind": "metrics", "ti')  # what a machine without power may leave
    assert bring(killed=True) == {"imported": 1}
    (run,) = runs()
    assert (run.info.status, run.data.metrics["val/loss"]) == ("KILLED", 1.0)
    assert bring(killed=True) == {"there": 1}


def test_numbers_that_are_none_arrive(offline: Path) -> None:
    with tracking.run(JOB, Settings()) as run:
        run.metrics({"val_loss": math.nan, "train_loss": math.inf})
    assert bring() == {"imported": 1}
    data = runs()[0].data
    assert math.isnan(data.metrics["val/loss"]) and math.isnan(data.metrics["train/loss"])
    assert "train/loss" in data.tags["infinite"] and "val" not in data.tags["infinite"]


@pytest.mark.parametrize(
    "content", [b"", b"no json\n", b'{"kind": "end", "time": 1, "status": "FINISHED"}\n', b"\xff\n"]
)
def test_a_damaged_journal_is_named_and_the_others_arrive(
    offline: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
) -> None:
    train()
    (FOLDER / "bad").mkdir()
    (FOLDER / "bad" / journal.FILE).write_bytes(content)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri())
    assert cli.main(["track", "import"]) == 2
    said = capsys.readouterr()
    assert f"{FOLDER}/bad/{journal.FILE}: not the journal of a run" in said.err
    assert "1 imported" in said.out
    assert len(runs()) == 1


def test_what_cannot_be_imported_is_one_line(
    offline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["track", "import"]) == 2
    assert "set MLFLOW_TRACKING_URI" in capsys.readouterr().err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri())
    assert cli.main(["track", "import", "elsewhere"]) == 2
    assert "elsewhere: no such folder" in capsys.readouterr().err
    assert cli.main(["track", "import"]) == 0
    assert "0 imported" in capsys.readouterr().out


def test_two_imports_at_once_are_refused(offline: Path) -> None:
    from equipoise import files

    with (
        files.alone(FOLDER / ".lock", "somebody is here"),
        pytest.raises(UserError, match="another import works here"),
    ):
        bring()


def test_a_full_disk_stops_the_journal_and_not_the_job(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(journal.Journal, "append", full)
    train()
    (record,) = caplog.records
    assert "No space left on device" in record.getMessage()
    assert [run.info.status for run in runs()] == ["FINISHED"]  # MLflow was there


def test_an_artifact_is_kept_where_links_are_impossible(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    train()
    (file,) = FOLDER.rglob("history.csv")
    assert file.read_text() == "toy/seed3\n"
