"""Jobs that start without importing: one process has PyTorch imported, each job is a fork of it.

Importing PyTorch costs seconds, as much as a short job. Where many jobs run on one machine,
Snakemake starts this server (:func:`start`), and the command ``equipoise`` of a job hands its
arguments, environment, folder and standard streams over to it (:func:`hand_over`), waits, and ends
as the fork ended. What the caller of the command sees is the same: signals are passed on, the exit
status is that of the job, and a command that is killed takes its job with it.

A fork is the same as a process of its own only where all that libraries read while they are
imported is the same: a job with another environment (threads, paths, devices) runs by itself, as do
all when there is no server.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

#: Names the socket of the server.
ADDRESS = "EQUIPOISE_FORKSERVER"
#: What training and evaluation import of others; none of it starts a thread or a GPU.
LIBRARIES = (
    *("torch", "torch.utils.flop_counter", "numpy", "h5py", "pydantic", "ruamel.yaml", "tqdm"),
    "safetensors.torch",
)
#: Differ between jobs, and nothing reads them while it is imported (nor those of equipoise).
_OF_A_JOB = {"PWD", "OLDPWD", "SHLVL", "_", "TMPDIR", "TMP", "TEMP", "TEMPDIR"}
_PASSED_ON = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)
_SIZE = struct.Struct("!q")
#: What comes back: the number of the job's process, then its exit status.
_ANSWER = struct.Struct("!ci")
_PROCESS, _STATUS = b"p", b"s"


class Request(NamedTuple):
    """What a command hands over, beside its standard streams."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


def start(command: str, environment: Mapping[str, str]) -> int:
    """Start a server for the jobs of this process and name it in ``os.environ``.

    Args:
        command: Shell text before the Python command, as jobs have it.
        environment: That of the jobs.

    Returns:
        A file descriptor: the server ends when it is closed, or when this process ends, however,
        and its last job has ended.
    """
    folder = tempfile.mkdtemp(prefix="equipoise-")  # mode 0700: nobody else can hand over a job
    address = str(Path(folder, "jobs"))
    lifeline, ours = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)  # here, so that the first job finds it
        listener.listen(128)
        subprocess.Popen(
            ["bash", "-c", f"{command} exec python -m equipoise.forkserver {listener.fileno()}"],
            env={**environment, ADDRESS: address},
            stdin=lifeline,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # the signals of a terminal are for the commands
        )
    os.close(lifeline)
    os.environ[ADDRESS] = address
    return ours


def hand_over(arguments: Sequence[str]) -> int | None:
    """Have the server run a command line; return its exit status, None if it does not take it.

    Ends this process as the job ended where that was by a signal.
    """
    address = os.environ.pop(ADDRESS)  # commands of this one are not for the server
    request = Request(list(arguments), dict(os.environ), str(Path.cwd()))
    message = json.dumps(request).encode()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address)
            socket.send_fds(connection, [_SIZE.pack(len(message))], [0, 1, 2])
            connection.sendall(message)
            kind, process = _answer(connection)
            return _wait(connection, os.pidfd_open(process)) if kind == _PROCESS else None
    except OSError:  # it has ended
        return None


def _wait(connection: socket.socket, job: int) -> int:
    """Wait for a job, given its pidfd, and pass on what signals come meanwhile."""
    for number in _PASSED_ON:
        signal.signal(number, lambda number, _: _send(job, number))
    kind, status = _answer(connection)
    if kind != _STATUS:
        _send(job, signal.SIGKILL)
        sys.stderr.write("equipoise: error: the process that forks jobs was killed; try again\n")
        return 1
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _send(job: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended; the status is on its way
        signal.pidfd_send_signal(job, number)


def _answer(connection: socket.socket) -> tuple[bytes, int]:
    told = _read(connection, _ANSWER.size)
    kind, number = _ANSWER.unpack(told) if told else (b"", 0)
    return kind, int(number)


def _read(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes, or none if the other side ended before."""
    parts = []
    while size and (part := connection.recv(min(size, 1 << 16))):
        parts.append(part)
        size -= len(part)
    return b"" if size else b"".join(parts)


def serve(listener: socket.socket, lifeline: int = 0) -> Request | None:
    """Fork a process for each request until the lifeline ends.

    Args:
        listener: Where commands connect.
        lifeline: A pipe that nobody writes to.

    Returns:
        In the fork the request, with all that it names in place; None in the server at its end.
    """
    for number in _PASSED_ON:
        signal.signal(number, signal.SIG_IGN)  # it ends with its lifeline and its last job
    jobs = _Jobs()
    jobs.waiting.register(listener, select.POLLIN)
    jobs.waiting.register(lifeline, select.POLLIN)
    open_for_more = True
    while open_for_more or jobs.commands:
        ready, _ = jobs.waiting.poll()[0]  # one at a time: what follows may close the others
        if ready == listener.fileno():
            connection, _ = listener.accept()
            if not (pid := os.fork()):
                jobs.forget()
                listener.close()
                return _become_job(connection)
            jobs.add(pid, connection)
        elif ready == lifeline:
            jobs.waiting.unregister(lifeline)
            jobs.waiting.unregister(listener)
            open_for_more = False
        else:
            jobs.look_at(ready)
    return None


class _Jobs:
    """The forks that have not ended, by the pidfd of each, and the commands that wait for them."""

    def __init__(self) -> None:
        self.waiting = select.poll()
        self.commands: dict[int, tuple[int, socket.socket]] = {}
        self.by_connection: dict[int, int] = {}

    def add(self, pid: int, connection: socket.socket) -> None:
        pidfd = os.pidfd_open(pid)
        self.commands[pidfd] = pid, connection
        self.by_connection[connection.fileno()] = pidfd
        self.waiting.register(pidfd, select.POLLIN)
        self.waiting.register(connection, select.POLLRDHUP)  # what it writes, the fork reads

    def look_at(self, ready: int) -> None:
        """End a job whose command has ended, or tell a command that its job has."""
        if (pidfd := self.by_connection.pop(ready, None)) is not None:
            self.waiting.unregister(ready)
            _send(pidfd, signal.SIGKILL)
            return
        pid, connection = self.commands.pop(ready)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.waiting.unregister(ready)
        os.close(ready)
        if self.by_connection.pop(connection.fileno(), None) is not None:
            self.waiting.unregister(connection)
        with connection, contextlib.suppress(OSError):  # nobody waits any more
            connection.sendall(_ANSWER.pack(_STATUS, status))

    def forget(self) -> None:
        """In a fork: close what belongs to the others."""
        for pidfd, (_, connection) in self.commands.items():
            os.close(pidfd)
            connection.close()


def _become_job(connection: socket.socket) -> Request:
    """Read the request and become what it asks for; end if it needs a process of its own."""
    size, streams, _, _ = socket.recv_fds(connection, _SIZE.size, 3)
    request = Request(*json.loads(_read(connection, *_SIZE.unpack(size))))
    if _read_by_libraries(request.environment) != _read_by_libraries(os.environ):
        os._exit(0)  # the command gets a status and no process
    os.setsid()
    for number in _PASSED_ON:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    sys.argv = ["equipoise", *request.arguments]
    tempfile.tempdir = None
    importlib.import_module("numpy.random").seed()  # as a new process has it
    connection.sendall(_ANSWER.pack(_PROCESS, os.getpid()))
    connection.close()
    return request


def _read_by_libraries(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name not in _OF_A_JOB and not name.startswith("EQUIPOISE_")
    }


def main() -> int:
    """Import, serve; in a fork run the command."""
    address = os.environ.pop(ADDRESS)
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        for name in LIBRARIES:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()  # what is not visited is not copied
        request = serve(listener)
    if request is None:
        shutil.rmtree(Path(address).parent, ignore_errors=True)
        return 0
    from equipoise import cli

    return cli.main(request.arguments)


if __name__ == "__main__":
    sys.exit(main())
