"""What a tracked job leaves in the store."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tracked import Settings

from equipoise import tracking
from equipoise.stages.job import Job

JOB = Job("warmup", "toy", seed=3)


def client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking.store_uri())


def runs(experiment: str = "toy", deleted: bool = False) -> list[Any]:
    from mlflow.entities import ViewType

    found = client().get_experiment_by_name(experiment)
    view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
    return list(client().search_runs([found.experiment_id], run_view_type=view))


def test_a_run_holds_parameters_curves_tags_and_files(project: Path) -> None:
    (project / "history.csv").write_text("epoch\n0\n")
    with tracking.run(JOB, Settings(epochs=7)) as run:
        row: dict[str, float] = {}
        for epoch in range(3):
            row["val_loss"] = 1 / (1 + epoch)  # the same dictionary again, as a loop may do
            row["val_accuracy_audio"] = 0.1 * epoch
            run.metrics(row, step=epoch)
        run.artifact(project / "history.csv")
        run.tags({"model_sha256": "abc", "epoch": 2})
    (stored,) = runs()
    assert stored.info.status == "FINISHED"
    assert stored.info.run_name == "seed3 warmup"
    assert stored.data.params == {"epochs": "7", "name": "x"}
    assert stored.data.tags["stage"] == "warmup"
    assert stored.data.tags["model_sha256"] == "abc"
    assert stored.data.tags["epoch"] == "2"
    history = client().get_metric_history(stored.info.run_id, "val/loss")
    assert [(m.step, m.value) for m in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert stored.data.metrics["val/accuracy_audio"] == pytest.approx(0.2)
    (file,) = (project / "mlruns").rglob("history.csv")
    assert file.read_text() == "epoch\n0\n"


def test_infinity_and_long_parameters_come_back_as_what_they_are(project: Path) -> None:
    """A database has no infinity, and MLflow cuts a parameter at 6,000 letters."""
    long = "".join(f"{number:04d}" for number in range(3500))
    with tracking.run(JOB, Settings(name=long)) as run:
        run.metrics({"val_loss": float("inf"), "val_accuracy": 0.5}, step=4)
    (stored,) = runs()
    params = stored.data.params
    assert params["name"] + params["name.2"] + params["name.3"] == long
    assert stored.data.metrics["val/accuracy"] == 0.5
    assert stored.data.metrics["val/loss"] != stored.data.metrics["val/loss"], "not a number"
    assert stored.data.tags["infinite"] == "step 4: val/loss"


def test_success_replaces_earlier_runs_of_the_same_key_only(project: Path) -> None:
    with tracking.run(JOB, Settings()):
        pass
    with tracking.run(JOB, Settings(epochs=9)):
        pass
    with tracking.run(Job("warmup", "toy", seed=4), Settings()):
        pass
    (first,) = [r for r in runs() if r.data.params["epochs"] == "2" and r.data.tags["seed"] == "3"]
    with tracking.run(JOB, Settings()):
        pass
    assert [r.info.run_id for r in runs(deleted=True)] == [first.info.run_id]
    assert len(runs()) == 3


def test_runs_of_another_user_stay(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for user in ("ada", "emmy", "emmy"):
        monkeypatch.setenv("LOGNAME", user)
        with tracking.run(JOB, Settings()):
            pass
    assert sorted(r.data.tags["mlflow.user"] for r in runs()) == ["ada", "emmy"]


def test_failure_is_recorded_and_goes_on(project: Path) -> None:
    with tracking.run(JOB, Settings()):
        pass
    with pytest.raises(ZeroDivisionError), tracking.run(JOB, Settings()):
        _ = 1 / 0
    with pytest.raises(KeyboardInterrupt), tracking.run(JOB, Settings()):
        raise KeyboardInterrupt
    assert sorted(r.info.status for r in runs()) == ["FAILED", "FINISHED", "KILLED"]
    (failed,) = [r for r in runs() if r.info.status == "FAILED"]
    assert failed.data.tags["error"] == "ZeroDivisionError: division by zero"


def test_a_killed_job_does_not_stay_running(project: Path) -> None:
    code = (
        f"import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from tracked import Settings\n"
        "from equipoise import tracking\n"
        "from equipoise.stages.job import Job\n"
        "log = tracking.store.StoredRun.log\n"
        "def tell(*arguments):\n"
        "    log(*arguments)\n"
        "    print('logged', flush=True)\n"
        "tracking.store.StoredRun.log = tell\n"
        "with tracking.run(Job('warmup', 'toy', seed=3), Settings()) as run:\n"
        "    run.metrics({'val_loss': 1.0})\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [r.info.status for r in runs()] == ["RUNNING"]
    with pytest.raises(ZeroDivisionError), tracking.run(JOB, Settings()):
        _ = 1 / 0
    assert sorted(r.info.status for r in runs()) == ["FAILED", "KILLED"]
    with tracking.run(JOB, Settings()):
        pass
    assert [r.info.status for r in runs()] == ["FINISHED"]


def test_a_deleted_experiment_is_restored(project: Path) -> None:
    with tracking.run(JOB, Settings()):
        pass
    client().delete_experiment(client().get_experiment_by_name("toy").experiment_id)
    with tracking.run(Job("warmup", "toy", seed=4), Settings()):
        pass
    assert {r.data.tags["seed"] for r in runs()} >= {"4"}


def test_more_parameters_than_one_call_takes(project: Path) -> None:
    from equipoise.params import DownloadJob

    many = DownloadJob(download={f"key{i}": i for i in range(250)})
    with tracking.run(Job("download", "toy"), many):
        pass
    (stored,) = runs()
    assert len(stored.data.params) == 250


def test_eight_first_users_at_once(bare_project: Path) -> None:
    import multiprocessing

    import mlflow  # noqa: F401  # once, before the fork

    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(8)

    def use(seed: int) -> None:
        barrier.wait()
        with tracking.run(Job("warmup", "toy", seed=seed), Settings()) as run:
            for epoch in range(5):
                run.metrics({"val_loss": epoch}, step=epoch)
        os._exit(0)

    processes = [context.Process(target=use, args=(seed,)) for seed in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    assert sorted(r.data.tags["seed"] for r in runs()) == [str(seed) for seed in range(8)]
    assert {r.info.status for r in runs()} == {"FINISHED"}
    assert {r.data.metrics["val/loss"] for r in runs()} == {4.0}
    assert sorted(p.name for p in bare_project.iterdir()) == [
        "mlflow.db",
        "mlflow.db.lock",
        "state",
    ]
    assert list((bare_project / "state/tracking").iterdir()) == []


def test_init_store_makes_the_store_once(bare_project: Path) -> None:
    tracking.init_store()
    before = (bare_project / "mlflow.db").stat()
    assert client().search_experiments()
    tracking.init_store()
    assert (bare_project / "mlflow.db").stat().st_ino == before.st_ino
