"""The ffmpeg program: where it is, and how one process of it is run."""

import contextlib
import fcntl
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from io import FileIO
from pathlib import Path

from equipoise.errors import UserError
from equipoise.media.errors import MediaError, MissingStreamError

#: A process that writes nothing for so many seconds hangs and is killed.
IDLE_SECONDS = 120.0
#: Environment variable that names another ffmpeg program than the one that is installed with us.
CHOICE = "EQUIPOISE_FFMPEG"
_OTHER = f"name another ffmpeg in {CHOICE}"
_PIPE_BYTES = 1 << 20

__all__ = ["MediaError", "MissingStreamError", "binary", "passthrough", "run", "version"]

Sink = Callable[[bytes], None]


@cache
def binary() -> str:
    """Return the ffmpeg program: the one inside the imageio-ffmpeg wheel, never the one on PATH.

    Versions decode some files differently, so that a machine must not choose. Another program is
    named by ``EQUIPOISE_FFMPEG``. In a conda environment, whose imageio-ffmpeg holds no program, it
    is that of the environment.

    Raises:
        UserError: What the variable names is no program, or there is none for this machine.
    """
    if named := os.environ.get(CHOICE):
        if found := shutil.which(Path(named).expanduser()):
            return str(Path(found).absolute())
        raise UserError(f"{CHOICE}={named}: no such program; name an ffmpeg, or unset it")
    wheel = Path(str(resources.files("imageio_ffmpeg.binaries")))
    places = sorted(wheel.glob("ffmpeg-*"))
    if Path(sys.prefix, "conda-meta").is_dir():
        places.append(Path(sys.prefix, "bin", "ffmpeg"))
    for path in places:
        if os.access(path, os.X_OK):
            return str(path)
    raise UserError(
        f"ffmpeg: imageio-ffmpeg holds none for this machine; install one and name it in {CHOICE}"
    )


@cache
def version() -> str:
    """Return the first line of ``ffmpeg -version``, without the copyright."""
    try:
        done = subprocess.run([binary(), "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UserError(f"{binary()}: does not run ({error.strerror}); {_OTHER}") from None
    if done.returncode:
        raise UserError(f"{binary()}: does not run (exit {done.returncode}); {_OTHER}")
    return done.stdout.partition("\n")[0].partition(" Copyright")[0]


@cache
def passthrough() -> dict[str, str]:
    """Return the output option that keeps every frame exactly once, as this ffmpeg calls it."""
    major = re.search(r"version n?(\d+)\.", version())
    old = major is not None and int(major[1]) < 6
    return {"vsync": "passthrough"} if old else {"fps_mode": "passthrough"}


def run(
    arguments: Callable[[list[str]], list[str]], sinks: Sequence[Sink], stdin: Path | None = None
) -> tuple[int, str]:
    """Run one ffmpeg process and feed each of its outputs to a sink as the bytes arrive.

    All pipes are read by one loop, so that no order of writing can block the process.

    Args:
        arguments: Given the output names (``pipe:<fd>``, one for each sink), the command line.
        sinks: Receive the bytes of the outputs, in order.
        stdin: A file for ``pipe:0``; nothing if None.

    Returns:
        Exit status and everything ffmpeg wrote to standard error.

    Raises:
        MediaError: The process wrote nothing for IDLE_SECONDS.
    """
    with contextlib.ExitStack() as stack:
        # A file in memory: nobody has to wake up for each line of the log.
        log = stack.enter_context(FileIO(os.memfd_create("ffmpeg-log"), "r+b"))
        pipes = [_pipe(stack) for _ in sinks]
        source = stack.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
        process = subprocess.Popen(
            arguments([f"pipe:{write.fileno()}" for _, write in pipes]),
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=[write.fileno() for _, write in pipes],
        )
        try:
            for _, write in pipes:
                write.close()
            _drain(dict(zip([read.fileno() for read, _ in pipes], sinks, strict=True)))
            status = process.wait(IDLE_SECONDS)
        except subprocess.TimeoutExpired:
            raise MediaError("ffmpeg does not end") from None
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        return status, log.read().decode("utf-8", errors="replace")


def _pipe(stack: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    """Make a pipe of file objects: a second close of one does not hit another thread's number."""
    read, write = os.pipe()
    ends = stack.enter_context(FileIO(read, "rb")), stack.enter_context(FileIO(write, "wb"))
    with contextlib.suppress(OSError, AttributeError):  # only a matter of speed, and of Linux
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ends


def _drain(sinks: dict[int, Sink]) -> None:
    """Read every file descriptor until its end."""
    with selectors.DefaultSelector() as selector:
        for handle, sink in sinks.items():
            selector.register(handle, selectors.EVENT_READ, sink)
        deadline = time.monotonic() + IDLE_SECONDS
        while selector.get_map():
            for handle, sink in _ready(selector, deadline):
                data = os.read(handle, _PIPE_BYTES)
                if data:
                    sink(data)
                else:
                    selector.unregister(handle)
                deadline = time.monotonic() + IDLE_SECONDS


def _ready(selector: selectors.BaseSelector, deadline: float) -> Iterator[tuple[int, Sink]]:
    events = selector.select(max(0.0, deadline - time.monotonic()))
    if not events:
        raise MediaError(f"ffmpeg stood still for {IDLE_SECONDS:g} s")
    for key, _ in events:
        yield key.fd, key.data
