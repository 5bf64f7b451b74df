"""A PostgreSQL server of one's own: a data folder, and a socket that no other user can open."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from equipoise.errors import UserError

#: The account that PostgreSQL runs under when started by root, as which it refuses to run.
ACCOUNT = "postgres"
ROLE = "mlflow"
#: Where Debian's packages keep the programs, one folder for each version.
DEBIAN = Path("/usr/lib/postgresql")
LOG = "server.log"
START_SECONDS = 300


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run PostgreSQL while the block runs.

    The caller sees to it that no other process uses ``folder``: a server found there was left by
    one that was killed, and is restarted.

    Args:
        folder: The data base cluster; made if there is none.

    Yields:
        The URI of the data base.

    Raises:
        UserError: No PostgreSQL is installed, or it cannot start here.
    """
    if not (folder / "PG_VERSION").exists():
        _create(folder)
    with tempfile.TemporaryDirectory(prefix="equipoise-") as sockets:  # paths of sockets are short
        _give(Path(sockets))
        quoted = shlex.quote(sockets)
        options = f"-c listen_addresses= -c unix_socket_directories={quoted}"
        log, wait = str(folder / LOG), str(START_SECONDS)
        try:
            _run("pg_ctl", "restart", folder, "-m", "fast", "-t", wait, "-l", log, "-o", options)
            yield f"postgresql://{ROLE}@/postgres?host={sockets}"
        finally:
            if (folder / "postmaster.pid").exists():
                _run("pg_ctl", "stop", folder, "-m", "fast", "-t", wait)


def _create(folder: Path) -> None:
    """Make the cluster under another name first: a killed ``initdb`` leaves half of one."""
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700, parents=True)
    _give(new)
    _run("initdb", "", new, "--username", ROLE, "--auth", "trust", "--encoding", "UTF8")
    new.rename(folder)


def _run(program: str, task: str, folder: Path, *arguments: str) -> None:
    account = ACCOUNT if os.geteuid() == 0 else None
    command = [find(program), *([task] if task else []), "-D", str(folder), *arguments]
    result = subprocess.run(
        command,
        user=account,
        group=account,
        extra_groups=None if account is None else [],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise UserError(f"PostgreSQL ({program} {task}): {_reason(result, folder)}")


def _reason(result: subprocess.CompletedProcess[str], folder: Path) -> str:
    said = result.stderr.strip() or (result.stdout.strip().splitlines() or [""])[-1]
    if result.returncode < 0:  # by its limit on the size of files, or out of memory
        said = f"ended by {signal.Signals(-result.returncode).name}; {said}"
    with contextlib.suppress(OSError):
        said += "; " + last_line(folder / LOG)
    return " ".join(said.split())


def last_line(path: Path) -> str:
    """Return the last line of a log file."""
    return (path.read_text(encoding="utf-8", errors="replace").splitlines() or [""])[-1]


def find(program: str) -> str:
    """Return the path of a program of PostgreSQL: from PATH, else the newest one of Debian.

    Raises:
        UserError: There is none.
    """
    if found := shutil.which(program):
        return found
    versions = [p for p in DEBIAN.glob("*/bin") if (p / program).exists()]
    if not versions:
        raise UserError(
            f"PostgreSQL is not installed (no {program} on PATH); install it (Debian: postgresql), "
            "or name an existing data base in MLFLOW_BACKEND_STORE_URI"
        )
    return str(max(versions, key=lambda p: float(p.parent.name)) / program)


def _give(folder: Path) -> None:
    """Let the account of PostgreSQL own a folder, when this process is root's.

    Raises:
        UserError: There is no such account, or it cannot get there.
    """
    if os.geteuid() != 0:
        return
    try:
        account = pwd.getpwnam(ACCOUNT)
    except KeyError as error:
        raise UserError(
            f"PostgreSQL does not run as root, and there is no account {ACCOUNT!r}; start this as "
            "another user"
        ) from error
    os.chown(folder, account.pw_uid, account.pw_gid)
    if any(not parent.stat().st_mode & 0o001 for parent in folder.resolve().parents):
        raise UserError(
            f"{folder}: closed to the account {ACCOUNT!r}, under which PostgreSQL runs when root "
            "starts it; give another --folder, or start this as another user"
        )
