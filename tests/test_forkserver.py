"""Jobs that are forks of one process: for who runs a command nothing but the start differs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from equipoise import forkserver

FORKED = Path(__file__).with_name("forked")
SPLIT = ("split", "--dataset", "keypad", "--settings", "{}")


def environment(**changes):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}  # names the test
    path = os.pathsep.join([str(Path(forkserver.__file__).parents[1]), str(FORKED)])
    return {**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **changes}


@pytest.fixture(scope="module")
def server():
    """The address of a server, and the descriptor that holds it up."""
    lifeline = forkserver.start(f"export PATH={Path(sys.executable).parent}:$PATH;", environment())
    address = os.environ.pop(forkserver.ADDRESS)
    yield address, lifeline
    os.close(lifeline)


@pytest.fixture
def start(server, tmp_path):
    """Start the command with the server's address; its first line is what the stage says."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def started(**changes):
        return subprocess.Popen(
            [sys.executable, "-m", "equipoise.cli", *SPLIT],
            env=environment(**{forkserver.ADDRESS: server[0], "PATH": path, **changes}),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def told(command):
    return json.loads(command.stdout.readline())


def gone(process):
    """Whether a process ends within ten seconds."""
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not Path(f"/proc/{process}").exists()


def test_a_job_is_a_fork_and_has_all_of_its_command(start, tmp_path):
    first, second = start(EQUIPOISE_GIVEN="a"), start()
    job, other = told(first), told(second)
    assert first.wait() == second.wait() == 0
    assert job["parent"] == other["parent"] and job["process"] != first.pid
    assert job["torch"] and job["name"] == "keypad" and job["folder"] == str(tmp_path)
    assert (job["given"], other["given"], job["server"]) == ("a", None, None)
    assert job["random"] != other["random"]


def test_what_it_says_and_how_it_ends(start):
    command = start(EQUIPOISE_DO="refuse")
    assert told(command)["parent"] != os.getpid()
    assert command.wait() == 2
    assert command.stderr.read() == "equipoise split: error: no such thing\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_passed_on(start, number):
    command = start(EQUIPOISE_DO="wait")
    told(command)
    command.send_signal(number)
    assert command.wait() == 75 and number.name in command.stderr.read()


def test_ctrl_c_is_passed_on(start):
    command = start(EQUIPOISE_DO="wait")
    told(command)
    command.send_signal(signal.SIGINT)
    assert command.wait() == 130 and "interrupted" in command.stderr.read()


def test_a_killed_command_takes_its_job_with_it(start):
    command = start(EQUIPOISE_DO="wait")
    job = told(command)
    command.kill()
    assert gone(job["process"])


def test_a_killed_job_looks_killed(start):
    assert start(EQUIPOISE_DO="die").wait() == -signal.SIGKILL


def test_other_threads_are_another_process(start):
    command = start(OMP_NUM_THREADS="2")
    job = told(command)
    assert command.wait() == 0
    assert job["process"] == command.pid and job["server"] is None


def test_without_a_server_the_command_runs_by_itself(start, tmp_path):
    command = start(**{forkserver.ADDRESS: str(tmp_path / "none")})
    assert told(command)["process"] == command.pid and command.wait() == 0


def test_the_server_ends_with_who_started_it_and_its_last_job(start, tmp_path):
    """It is killed: nobody is left to end the server."""
    code = (
        "import os, sys; from equipoise import forkserver;"
        f"forkserver.start('export PATH={Path(sys.executable).parent}:$PATH;', os.environ);"
        "print(os.environ[forkserver.ADDRESS], flush=True); sys.stdin.read()"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    address = starter.stdout.readline().strip()
    command = start(**{forkserver.ADDRESS: address, "EQUIPOISE_DO": "wait"})
    job = told(command)
    assert job["process"] != command.pid
    starter.kill()
    starter.wait()
    time.sleep(0.5)
    assert Path(f"/proc/{job['process']}").exists(), "its job goes on"
    command.terminate()
    assert command.wait() == 75
    assert gone(job["parent"]) and not Path(address).parent.exists()
