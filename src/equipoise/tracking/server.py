"""``equipoise track serve``: PostgreSQL, and an MLflow server that stores runs in it."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from equipoise import files
from equipoise.errors import UserError
from equipoise.tracking import postgres, store

#: An existing data base to use in place of one of our own (the name is MLflow's). In the
#: environment and not an option: every user of a machine can read the options of a process.
DATABASE = "MLFLOW_BACKEND_STORE_URI"
STOP_SECONDS = 30


def default_folder() -> Path:
    """Return where runs are kept when no folder is given: one for all projects of a user."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(data, "equipoise", "tracking")


def serve(folder: Path, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop everything that was started.

    Args:
        folder: Data base and artifacts.
        host: Address to listen on; ``0.0.0.0``: every one of this machine.
        port: To listen on.
        announce: Called with the URI for ``MLFLOW_TRACKING_URI`` once the server answers.

    Raises:
        UserError: A part cannot start, or stops by itself.
    """
    folder = folder.expanduser().absolute()
    _expect_free(host, port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(files.alone(folder / "lock", "another server runs here"))
            uri = os.environ.get(DATABASE, "").strip()
            uri = uri or stack.enter_context(postgres.running(folder / "postgres"))
            process = stack.enter_context(_mlflow(uri, folder, host, port))
            _wait_for_answer(process, folder, host, port)
            announce(f"http://{_names(host)[0]}:{port}")
            process.wait()
            raise _stopped(process, folder)
    except KeyboardInterrupt:
        return


@contextlib.contextmanager
def _mlflow(uri: str, folder: Path, host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    store.prepare_import()
    environment = {
        **os.environ,
        DATABASE: uri,
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(f"{name}:{port}" for name in _names(host)),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # for its assistants: two more processes
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "2"]
    with _log(folder).open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it through us, once
        )
        try:
            yield process
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # the data base is to stop in peace
            _end(process)


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):  # its workers, if it was killed
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for_answer(process: subprocess.Popen[Any], folder: Path, host: str, port: int) -> None:
    """Return when the server answers. No proxy is asked, whatever the environment says."""
    while process.poll() is None:
        connection = http.client.HTTPConnection(_own_address(host), port, timeout=5)
        quiet = contextlib.suppress(OSError, http.client.HTTPException)
        with contextlib.closing(connection), quiet:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return
        time.sleep(0.2)
    raise _stopped(process, folder)


def _stopped(process: subprocess.Popen[Any], folder: Path) -> UserError:
    reason = postgres.last_line(_log(folder))
    return UserError(f"mlflow server ended with status {process.returncode}: {reason}")


def _log(folder: Path) -> Path:
    return folder / "mlflow.log"


def _expect_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"cannot listen on {host}:{port} ({error.strerror or error}); give another --port"
            ) from error


def _own_address(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104


def _names(host: str) -> list[str]:
    """Return the names under which clients may call the server, the one to tell first."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return [host, "localhost"]
    names = [socket.gethostname(), socket.getfqdn(), host, "127.0.0.1", "localhost"]
    return list(dict.fromkeys(name for name in names if name != "0.0.0.0"))  # noqa: S104
