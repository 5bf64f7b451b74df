"""``make demo`` killed at any moment and called again; it must finish, and touch nothing else."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.xdist_group("workflow")
DEMO = (sys.executable, "workflow/scripts/demo.py")


def start(project, log, **environment):
    """Start the demo in a process group of its own; return it once its paused job runs."""
    process = project.start(*DEMO, log=log, **environment)
    trace = project.folder / "trace"
    for _ in range(600):
        if trace.exists() and f"{environment['PAUSE']}:" in trace.read_text():
            return process
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_a_second_run_does_nothing_and_says_so(built):
    text = built.run(*DEMO)
    assert "Nothing to be done" in text
    assert "keypad" in text and "90.0" in text, "the table"
    assert built.jobs() == []


def test_two_at_once_are_refused_and_killed_processes_do_not_matter(copy, tmp_path):
    (copy.folder / "results/curves.csv").unlink()
    first = start(copy, tmp_path / "log", PAUSE="compare")
    refused = copy.run(*DEMO, ok=False)
    assert "error: another `make demo` works in this folder" in refused
    # Only the runner and Snakemake die, at once; the job lives on without them.
    parents = [first.pid, *children(first.pid)]
    for pid in parents:
        os.kill(pid, signal.SIGKILL)
    first.wait()
    text = copy.run(*DEMO)
    assert "that a killed run left behind" in text
    assert copy.jobs() == ["compare:compare"]
    assert copy.nothing_to_do()


def test_a_living_snakemake_is_not_disturbed(copy, tmp_path):
    (copy.folder / "results/curves.csv").unlink()
    log = tmp_path / "log"
    process = copy.start("snakemake", "--cores", "1", log=log, PAUSE="compare")
    for _ in range(600):
        if any((copy.folder / ".snakemake/locks").glob("*")):
            break
        time.sleep(0.1)
    refused = copy.run(*DEMO, ok=False)
    assert "works in this folder; wait for it" in refused
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "Stopping" not in copy.run(*DEMO)
    assert copy.nothing_to_do()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_its_whole_group_ends_it(copy, tmp_path, number):
    (copy.folder / "results/curves.csv").unlink()
    process = start(copy, tmp_path / "log", PAUSE="compare")
    (child,) = children(process.pid)
    assert os.getpgid(child) == child != os.getpgid(process.pid) == process.pid
    os.killpg(process.pid, number)
    process.wait(250)  # the paused job alone would take five minutes
    with pytest.raises(ProcessLookupError):
        os.killpg(child, 0)
    copy.run(*DEMO)
    assert copy.jobs() == ["compare:compare"]


def children(pid):
    text = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in text.stdout.split()]
