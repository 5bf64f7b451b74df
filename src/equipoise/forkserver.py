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

import atexit
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
from typing import Any, NamedTuple

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
#: What comes back when a job has ended: its exit status. Before, a byte with the pidfd of the job.
_STATUS = struct.Struct("!i")


class Request(NamedTuple):
    """What a command hands over, beside its standard streams."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


def some_gpu() -> bool:
    """Return whether there is a GPU's device file, of NVIDIA or AMD: without importing PyTorch."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def start(command: str, environment: Mapping[str, str]) -> int:
    """Start a server for the jobs of this process and name it in ``os.environ``.

    Args:
        command: Shell text before the Python command, as jobs have it.
        environment: That of the jobs.

    Returns:
        A file descriptor: the server ends when it is closed, or when this process ends, however,
        and its last job has ended.

    Raises:
        OSError: There can be none: no pidfds (Linux before 5.3, some sandboxes), the path of the
            folder for temporary files is too long for a socket, or standard error is closed.
    """
    os.fstat(2)  # or else a connection would get the number
    os.close(os.pidfd_open(os.getpid()))
    folder = tempfile.mkdtemp(prefix="equipoise-")  # mode 0700: nobody else can hand over a job
    address = str(Path(folder, "jobs"))
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(address)  # here, so that the first job finds it
        except OSError:
            Path(folder).rmdir()
            raise
        listener.listen(128)
        lifeline, ours = os.pipe()
        # -P: as in the command, no file of the working folder hides a module.
        python = f"python -P -m equipoise.forkserver {listener.fileno()}"
        subprocess.Popen(
            ["bash", "-c", f"{command} exec {python}"],
            env={**environment, ADDRESS: address},
            stdin=lifeline,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # the signals of a terminal are for the commands
        )
    os.close(lifeline)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # if the server is killed
    os.environ[ADDRESS] = address
    return ours


def hand_over(arguments: Sequence[str]) -> int | None:
    """Have the server run a command line; return its exit status, None if it does not take it.

    Ends this process as the job ended where that was by a signal.
    """
    address = os.environ.pop(ADDRESS)  # commands of this one are not for the server
    with contextlib.ExitStack() as opened:
        try:
            for standard in (0, 1, 2):
                os.fstat(standard)  # of one that is closed the connection would get the number
            request = Request(list(arguments), dict(os.environ), str(Path.cwd()))
            connection = opened.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(address)
            job = _ask(connection, request)
        except OSError:  # it has ended
            return None
        return None if job is None else _wait(connection, job)


def _ask(connection: socket.socket, request: Request) -> int | None:
    """Send a request; return the pidfd of the job that took it.

    Of the job itself: it may have ended, and its number be another's, before this one looks.
    """
    message = json.dumps(request).encode()
    socket.send_fds(connection, [_SIZE.pack(len(message))], [0, 1, 2])
    connection.sendall(message)
    _, pidfds, _, _ = socket.recv_fds(connection, 1, 1)
    return pidfds[0] if pidfds else None


def _wait(connection: socket.socket, job: int) -> int:
    """Wait for a job, given its pidfd, and pass on what signals come meanwhile."""
    for number in (*_PASSED_ON, signal.SIGTSTP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda number, _: _pass_on(job, number))
    told = _read(connection, _STATUS.size)
    if not told:
        _send(job, signal.SIGKILL)
        select.select([job], [], [])  # what it writes, the next one may write again
        sys.stderr.write("equipoise: error: the process that forks jobs was killed; try again\n")
        return 1
    status = int(_STATUS.unpack(told)[0])
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _pass_on(job: int, number: int) -> None:
    if number != signal.SIGTSTP:
        _send(job, number)
        return
    _send(job, signal.SIGSTOP)  # the terminal's Ctrl-Z, which does not reach its session
    os.kill(os.getpid(), signal.SIGSTOP)
    _send(job, signal.SIGCONT)


def _send(job: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended; the status is on its way
        signal.pidfd_send_signal(job, number)


def _read(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes, or none if the other side ended before."""
    parts = []
    with contextlib.suppress(ConnectionError):
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
    # It ends with its lifeline and its last job.
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in _PASSED_ON}
    jobs = _Jobs()
    jobs.waiting.register(listener, select.POLLIN)
    jobs.waiting.register(lifeline, select.POLLIN)
    while listener.fileno() >= 0 or jobs.commands:
        ready, _ = jobs.waiting.poll()[0]  # one at a time: what follows may close the others
        if ready not in (listener.fileno(), lifeline):
            jobs.look_at(ready)
            continue
        try:
            connection = None if ready == lifeline else jobs.fork(listener)
        except OSError:  # no memory, no descriptors: those that run go on, others run by themselves
            ready = lifeline
        if ready == lifeline:
            jobs.waiting.unregister(lifeline)
            jobs.waiting.unregister(listener)
            listener.close()  # whoever asks from now on does not wait for the last job
        elif connection is not None:
            return _become_job(connection, handlers)
    return None


class _Jobs:
    """The forks that have not ended, by the pidfd of each, and the commands that wait for them."""

    def __init__(self) -> None:
        self.waiting = select.poll()
        self.commands: dict[int, tuple[int, socket.socket]] = {}
        self.by_connection: dict[int, int] = {}

    def fork(self, listener: socket.socket) -> socket.socket | None:
        """Fork for the next command; return the connection to it in the fork, else None."""
        connection, _ = listener.accept()
        if pid := os.fork():
            self._add(pid, connection)
            return None
        listener.close()
        for pidfd, (_, other) in self.commands.items():
            os.close(pidfd)
            other.close()
        return connection

    def _add(self, pid: int, connection: socket.socket) -> None:
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
            connection.sendall(_STATUS.pack(status))


def _become_job(connection: socket.socket, handlers: Mapping[signal.Signals, Any]) -> Request:
    """Read the request and become what it asks for; end if it needs a process of its own."""
    try:
        request, streams = _requested(connection)
        if _read_by_libraries(request.environment) != _read_by_libraries(os.environ):
            os._exit(1)  # the command gets a status and no process
        os.setsid()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.chdir(request.folder)
        for standard, stream in enumerate(streams):
            os.dup2(stream, standard)
            os.close(stream)
        job = os.pidfd_open(os.getpid())
        socket.send_fds(connection, [b"p"], [job])
        os.close(job)
        connection.close()
    except OSError:  # the command has ended, or meets the same by itself
        os._exit(1)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = ["equipoise", *request.arguments]
    tempfile.tempdir = None
    importlib.import_module("numpy.random").seed()  # as a new process has it
    return request


def _requested(connection: socket.socket) -> tuple[Request, list[int]]:
    size, streams, _, _ = socket.recv_fds(connection, _SIZE.size, 3)
    message = _read(connection, *_SIZE.unpack(size)) if len(size) == _SIZE.size else b""
    if not message:
        raise ConnectionError
    return Request(*json.loads(message)), streams


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
