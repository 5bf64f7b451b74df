"""``make demo``: run the graph of params.yaml and print the table, and where report and store are.

Killed at any moment and called again, it goes on. What a killed run left behind is looked for by a
mark in the environment of all its processes, so that no other process is ever touched.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "EQUIPOISE_DEMO"


def main() -> int:
    """Return the exit status."""
    here = Path(__file__).resolve().parents[2]
    os.chdir(here)
    Path(".snakemake").mkdir(exist_ok=True)
    with Path(".snakemake/demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("error: another `make demo` works in this folder; wait for it or stop it")
        _stop_left_overs(f"{MARK}={here}".encode())
        _remove_stale_lock(here)
        if status := _snakemake(here):
            print("The run stopped. The reason stands above; `make demo` continues it.")
            return status
    return subprocess.run(["equipoise", "show"], check=False).returncode


def _snakemake(here: Path) -> int:
    """Run Snakemake in a process group of its own, which gets exactly one signal.

    A terminal, or `kill` with the number of a group, signals every process of this one's group; if
    Snakemake were in it and got the forwarded signal as well, the second could meet it while it
    handles the first, and it would wait for ever.
    """
    sent: list[int] = []

    def forward(number: int, _: object) -> None:
        if not sent:
            sent.append(number)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)

    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    signal.pthread_sigmask(signal.SIG_BLOCK, handled)  # until there is a group to send it to
    child = subprocess.Popen(
        ["snakemake", "--cores", "all", "--quiet", "host"],
        env={**os.environ, MARK: str(here)},
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, handled),
    )
    for number in handled:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handled)
    return child.wait()


def _processes() -> Iterator[Path]:
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) != os.getpid():
            yield folder


def _stop_left_overs(mark: bytes) -> None:
    """Stop the jobs of a run whose Snakemake was killed: nobody waits for them any more."""
    found = []
    for process in _processes():
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue  # ended, or another user's
    if found:
        print(f"Stopping {len(found)} process(es) that a killed run left behind.")
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        for pid in found:
            try:
                os.kill(pid, wanted)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + 20
        while any(_alive(pid) for pid in found) and time.monotonic() < deadline:
            time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _remove_stale_lock(here: Path) -> None:
    """Unlock the folder unless the Snakemake that locked it is alive."""
    if not any(Path(".snakemake/locks").glob("*")):
        return
    for process in _processes():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            at_work = (process / "cwd").resolve() == here
        except OSError:
            continue
        if at_work and any(Path(os.fsdecode(word)).name == "snakemake" for word in words[:3]):
            sys.exit(f"error: snakemake (process {process.name}) works in this folder; wait for it")
    subprocess.run(["snakemake", "--unlock", "--quiet", "all"], check=True)


if __name__ == "__main__":
    sys.exit(main())
