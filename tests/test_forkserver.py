"""Jobs that are forks of one process: for who runs a command nothing but the start differs."""

import contextlib
import json
import os
import resource
import shlex
import signal
import socket
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


def new_server():
    """Start one; return its address and the descriptor that holds it up."""
    lifeline = forkserver.start(f"export PATH={Path(sys.executable).parent}:$PATH;", environment())
    return os.environ.pop(forkserver.ADDRESS), lifeline


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # Where a shell put the tests into the background, they and all below them ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.chdir(tmp_path_factory.mktemp("folder")):
        Path("h5py.py").write_text("raise SystemExit('of the working folder')")
        address, lifeline = new_server()
    yield address
    os.close(lifeline)


@pytest.fixture
def start(server, tmp_path):
    """Start the command with the server's address; its first line is what the stage says."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def started(before="", after="", **changes):
        command = shlex.join([sys.executable, "-m", "equipoise.cli", *SPLIT])
        return subprocess.Popen(
            ["bash", "-c", f"{before} exec {command} {after}"],
            env=environment(**{forkserver.ADDRESS: server, "PATH": path, **changes}),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def told(command):
    return json.loads(command.stdout.readline())


def soon(condition):
    """Whether it holds within ten seconds."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def gone(process):
    return soon(lambda: not Path(f"/proc/{process}").exists())


def state(process):
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


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


def test_what_nohup_ignores_is_not_passed_on(start):
    command = start("trap '' HUP;", EQUIPOISE_DO="wait")
    told(command)
    command.send_signal(signal.SIGHUP)
    command.terminate()
    assert command.wait() == 75 and "SIGTERM" in command.stderr.read()


def test_ctrl_z_stops_a_job_until_its_command_goes_on(start):
    command = start(EQUIPOISE_DO="wait")
    job = told(command)["process"]
    command.send_signal(signal.SIGTSTP)
    assert soon(lambda: state(job) == state(command.pid) == "T")
    command.send_signal(signal.SIGCONT)
    assert soon(lambda: state(job) != "T")
    command.terminate()
    assert command.wait() == 75


def test_a_closed_stream_is_no_place_for_the_connection(start):
    command = start(after="<&-")
    assert told(command)["process"] == command.pid and command.wait() == 0


def test_a_killed_command_takes_its_job_with_it(start):
    command = start(EQUIPOISE_DO="wait")
    job = told(command)
    command.kill()
    assert gone(job["process"])


def test_a_killed_job_looks_killed(start):
    assert start(EQUIPOISE_DO="die").wait() == -signal.SIGKILL


def test_a_command_that_is_gone_at_once_leaves_no_word(capfd):
    address, lifeline = new_server()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
    os.close(lifeline)
    assert soon(lambda: not Path(address).parent.exists())
    assert capfd.readouterr().err == ""


@pytest.fixture
def asking(start, tmp_path):
    """A command that has connected to this test in place of a server, and the connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "jobs"))
        listener.listen()
        command = start(**{forkserver.ADDRESS: str(tmp_path / "jobs")})
        connection, _ = listener.accept()
        with connection:  # closed, it would say that there is no server
            yield command, connection


def test_ctrl_c_while_the_server_imports_is_one_line(asking):
    command, connection = asking
    command.send_signal(signal.SIGINT)
    assert command.wait() == 130
    connection.close()  # it holds the streams that were handed over, which would not end
    assert command.stderr.read() == "equipoise: interrupted; the same command continues\n"


def test_a_job_that_ends_before_its_command_looks_is_not_done_twice(asking):
    """A process that has ended, and was waited for, is named by no number."""
    command, connection = asking
    ended = subprocess.Popen(["true"])
    job = os.pidfd_open(ended.pid)
    ended.wait()
    socket.send_fds(connection, [b"p"], [job])
    connection.sendall(forkserver._STATUS.pack(3))
    assert command.wait() == 3
    connection.close()
    os.close(job)
    assert command.stdout.read() == ""


def test_a_path_too_long_for_a_socket_is_an_error_that_leaves_nothing(tmp_path, monkeypatch):
    folder = tmp_path / ("f" * 100)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(OSError, match="path too long"):
        forkserver.start("", {})
    assert not list(folder.iterdir()) and forkserver.ADDRESS not in os.environ


def test_a_server_that_can_take_no_more_keeps_its_jobs(start):
    """It is killed then, and they with it."""
    address, lifeline = new_server()
    command = start(EQUIPOISE_DO="wait", **{forkserver.ADDRESS: address})
    job = told(command)
    resource.prlimit(job["parent"], resource.RLIMIT_NOFILE, (4, 4))
    other = start(**{forkserver.ADDRESS: address})
    assert told(other)["process"] == other.pid and other.wait() == 0
    assert command.poll() is None
    os.kill(job["parent"], signal.SIGKILL)
    assert command.wait() == 1
    at_work = Path(f"/proc/{job['process']}").exists() and state(job["process"]) != "Z"
    assert not at_work, "it may not write what the next attempt writes"
    assert "was killed; try again" in command.stderr.read()
    os.close(lifeline)


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
    late = start(**{forkserver.ADDRESS: address})
    assert told(late)["process"] == late.pid, "it does not wait for the last job"
    command.terminate()
    assert command.wait() == 75
    assert gone(job["parent"]) and not Path(address).parent.exists()
