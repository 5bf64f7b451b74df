"""Tracking that is off, dead, slow or read-only never stops or delays a job."""

import contextlib
import http.server
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tracked import Settings

from equipoise import tracking
from equipoise.errors import UserError
from equipoise.stages.job import Job
from equipoise.tracking import sender, store

JOB = Job("warmup", "toy", seed=3)
#: Seconds for all the calls of a run: fewer than any answer of a server that is waited for here.
HELD_UP = 0.9


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow  # noqa: F401  # its import time is not what is measured here

    monkeypatch.setattr(sender, "GRACE_SECONDS", 300.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


def train(seconds: float = 0.0) -> float:
    """Do what the loop does; return how long the calls held it up, without waiting at the end."""
    Path("history.csv").write_text("x")
    with tracking.run(JOB, Settings()) as run:
        start = time.monotonic()
        for epoch in range(50):
            run.metrics({"val_loss": 1.0}, step=epoch)
        run.artifact(Path("history.csv"))
        run.tags({"a": "b"})
        spent = time.monotonic() - start
        time.sleep(seconds)
    return spent


def only_warning(caplog: pytest.LogCaptureFixture) -> str:
    """Return the one thing that a user reads, whoever says it."""
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.name == "equipoise"
    assert "\n" not in record.getMessage()
    return record.getMessage()


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """Accepts connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def dripping_server() -> Iterator[str]:
    """Answers at once, a byte now and then: no single read ever takes too long."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not over.wait(0.05):
                    self.wfile.write(b" ")

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None: ...

    over = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    over.set()
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def answering_server(status: int) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"no")

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("slurm", [False, True])
def test_off_means_no_file_and_no_import(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, slurm: bool
) -> None:
    """A Slurm job without a server writes its journal and nothing else."""
    if slurm:
        monkeypatch.setenv("SLURM_JOB_ID", "1")
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    (bare_project / "file").write_text("x")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from tracked import Settings\n"
        "from equipoise import tracking\n"
        "from equipoise.stages.job import Job\n"
        "tracking.init_store()\n"
        "with tracking.run(Job('warmup', 'toy', seed=3), Settings()) as run:\n"
        "    run.metrics({'a': 1}); run.artifact('file'); run.tags({'a': 1})\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    (bare_project / "file").unlink()
    names = {path.name for path in bare_project.rglob("*") if path.is_file()}
    assert names == ({"run.jsonl", "file"} if slurm else set())


def test_a_server_named_in_a_slurm_job_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://login1:5000")
    assert tracking.store_uri() == "http://login1:5000"


def test_no_server_there(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv(
            "MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{unused.getsockname()[1]}"
        )
        assert train() < HELD_UP
    assert "the job goes on" in only_warning(caplog)
    assert "secret" not in caplog.text


def test_a_server_that_never_answers(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "GRACE_SECONDS", 1.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    with silent_server() as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        start = time.monotonic()
        assert train() < HELD_UP
        assert time.monotonic() - start < 3
    assert "no answer within 1 s" in only_warning(caplog)


@pytest.mark.parametrize("server", [silent_server, dripping_server])
def test_only_the_first_job_of_a_run_waits_for_a_server_that_never_answers(
    bare_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    server: Callable[[], contextlib.AbstractContextManager[str]],
) -> None:
    monkeypatch.setattr(sender, "GRACE_SECONDS", 1.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    monkeypatch.setenv(sender.RUN, "one run of snakemake")
    with server() as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        train()
        assert "no answer within 1 s" in only_warning(caplog)
        caplog.clear()
        monkeypatch.setattr(sender, "Sender", None)  # whoever asks for one fails
        train()
        said = only_warning(caplog)
        assert "did not answer an earlier job of this run" in said and "kept in " in said
        assert len(list(Path("state/tracking").iterdir())) == 2, "both runs can be imported"
        assert not sender.is_slow(uri + "/other")
        monkeypatch.setenv(sender.RUN, "another run of snakemake")
        assert not sender.is_slow(uri)
        monkeypatch.delenv(sender.RUN)
        assert not sender.is_slow(uri)


def test_what_a_killed_first_start_left_is_removed(project: Path) -> None:
    for name in (".mlflow.abc.tmp.db", ".mlflow.abc.tmp.db-journal"):
        Path(name).write_bytes(b"half a store")
    whole = Path("mlflow.db").read_bytes()
    tracking.init_store()
    assert not list(Path().glob(".mlflow.*"))
    assert Path("mlflow.db").read_bytes() == whole


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_server_that_answers_nonsense(
    bare_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    with answering_server(status) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert train() < HELD_UP
    assert "the job goes on" in only_warning(caplog)


def test_a_locked_store(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "GRACE_SECONDS", 1.0)
    lock = sqlite3.connect(project / "mlflow.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    assert train() < HELD_UP
    lock.close()
    assert "no answer within 1 s" in only_warning(caplog)


def test_a_store_locked_for_a_moment_loses_nothing(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = sqlite3.connect(project / "mlflow.db", isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    threading.Timer(1.0, lock.close).start()
    (project / "history.csv").write_text("x")
    assert train() < HELD_UP
    assert not caplog.records


def test_a_read_only_store(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"sqlite:///file:{project / 'mlflow.db'}?mode=ro&uri=true"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert train() < HELD_UP
    assert "readonly" in only_warning(caplog)


def test_a_store_that_cannot_be_made(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (bare_project / "file").write_text("not a folder")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{bare_project}/file/mlflow.db")
    assert train() < HELD_UP
    assert "the job goes on" in only_warning(caplog)
    with pytest.raises(UserError, match=r"file/mlflow\.db: the MLflow store cannot be made"):
        tracking.init_store()


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_store(
    bare_project: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (bare_project / "mlflow.db").write_bytes(content)
    assert train() < HELD_UP
    assert "the job goes on" in only_warning(caplog)


def test_a_scheme_that_mlflow_refuses(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://x")
    assert train() < HELD_UP
    assert "the job goes on" in only_warning(caplog)


def test_a_failure_half_way_keeps_what_was_logged(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow import MlflowClient

    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(MlflowClient, "log_artifact", fail)
    assert train() < HELD_UP
    assert "no space" in only_warning(caplog)
    with sqlite3.connect(project / "mlflow.db") as database:
        (rows,) = database.execute("SELECT COUNT(*) FROM metrics").fetchone()
    assert rows == 50


def test_without_mlflow(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert train() < HELD_UP
    assert "mlflow" in only_warning(caplog)


def test_the_job_s_own_error_is_the_one_seen(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://x")
    with pytest.raises(ZeroDivisionError), tracking.run(JOB, Settings()):
        _ = 1 / 0


def test_environment_of_mlflow_but_the_user_s_values_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in store.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    store.prepare_import()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
