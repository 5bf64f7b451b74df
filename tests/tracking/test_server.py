"""``equipoise track serve``: a real PostgreSQL and a real MLflow server; and what it refuses."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tracked import Settings

from equipoise import cli, tracking
from equipoise.errors import UserError
from equipoise.stages.job import Job
from equipoise.tracking import bring_in, journal, postgres, server

JOBS, EPOCHS, METRICS = 8, 20, 5


def client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking.store_uri())


def runs() -> list[Any]:
    found = client().get_experiment_by_name("toy")
    return list(client().search_runs([found.experiment_id])) if found else []


def rows(run: Any) -> int:
    names = [f"val/loss_{i}" for i in range(METRICS)]
    return sum(len(client().get_metric_history(run.info.run_id, name)) for name in names)


def log(run: tracking.Run, epochs: range) -> None:
    for epoch in epochs:
        run.metrics({f"val_loss_{i}": epoch + i for i in range(METRICS)}, step=epoch)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where PostgreSQL's account may go, too: pytest's own folders are closed to others."""
    if importlib.util.find_spec("psycopg2") is None:
        pytest.skip("psycopg2 is not installed")
    try:
        postgres.find("initdb")
        if os.geteuid() == 0:
            pwd.getpwnam(postgres.ACCOUNT)
    except (UserError, KeyError) as error:
        pytest.skip(f"no PostgreSQL that could run here: {error}")
    # A busy machine may need longer than a user would wait.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
    monkeypatch.delenv(server.DATABASE, raising=False)
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The one command, and the line that it prints."""
    command = ["track", "serve", "--folder", str(folder), "--port", str(free_port())]
    with subprocess.Popen(
        [sys.executable, "-m", "equipoise.cli", *command], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("export MLFLOW_TRACKING_URI=http://127.0.0.1:")
        yield line.strip().partition("=")[2], process
        if process.poll() is None:
            process.terminate()
            assert process.wait() == 0


def alive(folder: Path) -> list[str]:
    """Return what still runs: the MLflow server, which names its folder, and PostgreSQL."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder) in entry.read_bytes().decode(errors="replace"):
                found.append("mlflow")
    with contextlib.suppress(OSError):
        pid = (folder / "postgres" / "postmaster.pid").read_text().split()[0]
        if Path("/proc", pid).exists():
            found.append("postgres")
    return found


def use(seed: int, barrier: Any) -> None:
    barrier.wait()
    with tracking.run(Job("warmup", "toy", seed=seed), Settings()) as run:
        log(run, range(EPOCHS))
        run.artifact(Path("history.csv"))
    os._exit(0)


@pytest.mark.slow
def test_eight_jobs_at_once_lose_nothing(
    bare_project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import multiprocessing

    import mlflow  # noqa: F401  # once, before the fork

    (bare_project / "history.csv").write_text("epoch\n")
    with serving(folder) as (uri, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        context = multiprocessing.get_context("fork")
        barrier = context.Barrier(JOBS)
        jobs = [context.Process(target=use, args=(seed, barrier)) for seed in range(JOBS)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        assert [job.exitcode for job in jobs] == [0] * JOBS
        found = runs()
        assert sorted(run.data.tags["seed"] for run in found) == [str(s) for s in range(JOBS)]
        assert {run.info.status for run in found} == {"FINISHED"}
        assert {rows(run) for run in found} == {EPOCHS * METRICS}
        assert {len(run.data.params) for run in found} == {2}
        for run in found:
            artifacts = client().list_artifacts(run.info.run_id)
            assert [file.path for file in artifacts] == ["history.csv"]
        assert list(journal.FOLDER.iterdir()) == []
        assert {*alive(folder)} == {"mlflow", "postgres"}
    assert alive(folder) == []


@pytest.mark.slow
def test_everything_is_killed_midway_and_nothing_is_lost(
    bare_project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(folder) as (uri, process):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with tracking.run(Job("warmup", "toy", seed=0), Settings()) as run:
            log(run, range(EPOCHS))
        with tracking.run(Job("warmup", "toy", seed=1), Settings()) as run:
            log(run, range(5))
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            process.kill()
            process.wait()
            for child in children.split():
                os.killpg(int(child), signal.SIGKILL)  # the MLflow server and its workers
            log(run, range(5, EPOCHS))
    assert len(list(journal.FOLDER.iterdir())) == 1
    assert alive(folder) == ["postgres"]
    with serving(folder) as (uri, process):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert bring_in.import_runs(journal.FOLDER, uri) == {"imported": 1}
        assert bring_in.import_runs(journal.FOLDER, uri) == {"there": 1}
        assert sorted(run.data.tags["seed"] for run in runs()) == ["0", "1"]
        assert {rows(run) for run in runs()} == {EPOCHS * METRICS}
        with pytest.raises(UserError, match="another server runs here"):
            server.serve(folder, "127.0.0.1", free_port(), print)
    assert alive(folder) == []


def test_a_port_in_use_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = str(used.getsockname()[1])
        assert cli.main(["track", "serve", "--folder", str(tmp_path), "--port", port]) == 2
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_existing_data_base_is_used_and_not_shown_to_other_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "postgresql://ada:secret@db.example/runs"
    monkeypatch.setenv(server.DATABASE, uri)

    def start(command: list[str], env: dict[str, str], **_: object) -> None:
        assert env[server.DATABASE] == uri
        assert not any("secret" in word for word in command)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", start)
    before = signal.getsignal(signal.SIGTERM)
    server.serve(tmp_path, "127.0.0.1", free_port(), print)
    signal.signal(signal.SIGTERM, before)
    assert not (tmp_path / "postgres").exists()


def test_without_postgresql_it_is_said_what_to_install() -> None:
    with pytest.raises(UserError, match="PostgreSQL is not installed"):
        postgres.find("no-such-program")


def test_the_newest_version_of_debian_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    for version in ("9.6", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
    for version in ("9.6", "15"):
        (tmp_path / version / "bin" / "initdb").touch()
    assert postgres.find("initdb") == str(tmp_path / "15" / "bin" / "initdb")


def test_root_needs_the_account_and_a_folder_open_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = pwd.getpwuid(os.getuid())
    closed = tmp_path / "closed"
    (closed / "new").mkdir(parents=True)
    closed.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", lambda _: account)
    with pytest.raises(UserError, match="give another --folder"):
        postgres._give(closed / "new")
    monkeypatch.setattr(pwd, "getpwnam", {}.__getitem__)
    with pytest.raises(UserError, match="start this as another user"):
        postgres._give(closed / "new")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0"])
def test_names_under_which_the_server_may_be_called(host: str) -> None:
    names = server._names(host)
    assert "localhost" in names
    assert "0.0.0.0" not in names
    assert names[0] == (host if host.startswith("127") else socket.gethostname())
