"""Decoding in processes of their own: a crash of a decoder costs one clip, not the run.

The libraries inside of PyAV parse what strangers made. A file that crashes or hangs them ends a
worker; the file is tried once more in another one, and if that ends too, it is refused like any
damaged file. Workers start in a quarter of a second and are used for all files of a run.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic, TypeVar

from equipoise.errors import UserError
from equipoise.media.errors import MediaError

T = TypeVar("T")
R = TypeVar("R")

#: Items that wait at a worker, so that it never waits for the pool.
_AHEAD = 8


class _Worker:
    """One process, and the items that were given to it, oldest first."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        life, self._life = os.pipe()
        fds = (theirs.fileno(), life)
        command = [sys.executable, "-P", "-m", "equipoise.media.worker", *map(str, fds)]
        self.process = subprocess.Popen(command, pass_fds=fds, stdin=subprocess.DEVNULL)
        theirs.close()
        os.close(life)
        self.connection = Connection(ours.detach())
        self.connection.send(sys.path)
        self.items: deque[int] = deque()
        self.since = 0.0
        """When it began with the first of its items, or what came before."""

    def end(self) -> int:
        """End it; return its exit status."""
        os.close(self._life)
        self.connection.close()
        self.process.kill()
        return self.process.wait()


@dataclass
class _Work(Generic[T, R]):
    """The state of one call of :meth:`DecodePool.map`."""

    items: Iterator[tuple[int, T]]
    given: dict[int, T] = field(default_factory=dict)
    """Number to item, from when it is taken until its result is yielded."""
    again: deque[int] = field(default_factory=deque)
    """Items whose worker died before it came to them, or for the first time in them."""
    deaths: dict[int, int] = field(default_factory=dict)
    done: dict[int, R | MediaError] = field(default_factory=dict)
    next: int = 0


class DecodePool:
    """Processes that apply a function to items.

    Args:
        workers: How many.
        timeout: Seconds after which an item counts as hanging.
    """

    def __init__(self, workers: int, timeout: float = 600.0) -> None:
        self._count = max(1, workers)
        self._timeout = timeout
        self._workers: list[_Worker] = []
        self._function: Callable[[Any], Any] | None = None

    def __enter__(self) -> DecodePool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, whatever they do."""
        while self._workers:
            self._workers.pop().end()

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R | MediaError]:
        """Yield ``function(item)`` for each item, in order.

        At most ``8 * workers`` results wait for an earlier one. Stop early by leaving the ``with``.

        Args:
            function: Can be pickled; sent to each worker once.
            items: Small (a path, not an array), can be pickled; taken as they are needed.

        Yields:
            The result; or the MediaError that the function raised, or that says that the decoder
            crashed or hung.

        Raises:
            UserError: A worker was killed from outside (out of memory, for example).
            Exception: What else the function raised.
            RuntimeError: A worker could not start.
        """
        self._function = function
        for worker in self._workers:
            worker.connection.send((None, function))
        work: _Work[T, R] = _Work(iter(enumerate(items)))
        try:
            while True:
                self._give(work)
                if work.next in work.done:
                    del work.given[work.next]
                    yield work.done.pop(work.next)
                    work.next += 1
                elif not work.given:
                    return
                else:
                    self._hear(work)
        finally:
            if any(worker.items for worker in self._workers):  # left early
                self.close()

    def _give(self, work: _Work[Any, Any]) -> None:
        """Hand items over to the workers with the fewest, and start workers."""
        while len(work.given) < _AHEAD * self._count or work.again:
            number = self._take(work)
            if number is None:
                return
            idle = min(self._workers, key=lambda worker: len(worker.items), default=None)
            if idle is None or (idle.items and len(self._workers) < self._count):
                idle = _Worker()
                idle.connection.send((None, self._function))
                self._workers.append(idle)
            if not idle.items:
                idle.since = time.monotonic()
            idle.items.append(number)
            with suppress(OSError):  # it died: heard of soon
                idle.connection.send((number, work.given[number]))

    @staticmethod
    def _take(work: _Work[Any, Any]) -> int | None:
        """Return the number of the next item to be done."""
        if work.again:
            return work.again.popleft()
        number, item = next(work.items, (None, None))
        if number is not None:
            work.given[number] = item
        return number

    def _hear(self, work: _Work[Any, Any]) -> None:
        """Wait for results, deaths and the end of somebody's time."""
        busy = {worker.connection: worker for worker in self._workers if worker.items}
        deadline = min(worker.since for worker in busy.values()) + self._timeout
        for connection in wait(list(busy), max(0.0, deadline - time.monotonic())):
            worker = busy[connection]  # type: ignore[index]
            try:
                number, good, result = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker, work)
                continue
            worker.items.popleft()
            worker.since = time.monotonic()
            if not good:
                raise result
            work.done[number] = result
        for worker in list(self._workers):
            if worker.items and time.monotonic() - worker.since > self._timeout:
                number = worker.items.popleft()
                self._lose(worker, work)
                work.done[number] = MediaError(f"the decoder hung (over {self._timeout:g} s)")

    def _bury(self, worker: _Worker, work: _Work[Any, Any]) -> None:
        """Count a death against the item that the worker was in."""
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(10)
        status = self._lose(worker, work)
        number = work.again.popleft()
        if status >= 0:
            raise RuntimeError(f"a process that decodes ended with status {status}; see above")
        if status == -signal.SIGKILL:
            raise UserError(
                f"a process that decodes was killed at {work.given[number]}: out of memory? "
                "Run again with fewer at a time"
            )
        work.deaths[number] = work.deaths.get(number, 0) + 1
        if work.deaths[number] == 1:
            work.again.appendleft(number)
        else:
            work.done[number] = MediaError("the decoder crashed")

    def _lose(self, worker: _Worker, work: _Work[Any, Any]) -> int:
        """End a worker; its items, oldest first, are done again."""
        self._workers.remove(worker)
        work.again.extendleft(reversed(worker.items))
        return worker.end()
