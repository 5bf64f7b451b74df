"""A process that decodes for :mod:`equipoise.media.pool`: ``python -m equipoise.media.worker``.

It imports nothing but what the functions that are sent to it need. It ends when its pool does, even
in the middle of a file, and leaves signals to the pool.
"""

import os
import pickle
import resource
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from equipoise.media.errors import MediaError


def main(tasks: Connection, life: int) -> None:
    """Do what arrives until nothing does.

    Args:
        tasks: Receives ``None, function`` and ``number, item``; sends ``number, good, result``.
        life: A file descriptor that reads as ended when the pool is gone.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the pool, in the same group, decides
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    function: Any = None
    while True:
        number, item = tasks.recv()
        if number is None:
            function = item
            continue
        tasks.send_bytes(_answer(number, function, item))


def _answer(number: int, function: Any, item: Any) -> bytes:
    """Return result or error of one item, pickled."""
    try:
        return pickle.dumps((number, True, function(item)), protocol=5)
    except MediaError as error:
        return pickle.dumps((number, True, error), protocol=5)
    except Exception as error:
        try:
            return pickle.dumps((number, False, error), protocol=5)
        except Exception:  # it holds something that cannot travel
            return pickle.dumps((number, False, RuntimeError(repr(error))), protocol=5)


def _end_with(life: int) -> None:
    os.read(life, 1)
    os._exit(0)


if __name__ == "__main__":
    connection = Connection(int(sys.argv[1]))
    sys.path[:] = connection.recv()
    try:
        main(connection, int(sys.argv[2]))
    except (EOFError, OSError):  # the pool is gone
        sys.exit(0)
