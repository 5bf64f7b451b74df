"""Logging and progress bars: everything a person sees while a stage runs."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from typing import Protocol

log = logging.getLogger("equipoise")


def setup_logging(verbose: bool = False) -> None:
    """Send the package's log to standard error, one line per message."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    log.handlers[:] = [handler]
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    log.propagate = False


class Progress(Protocol):
    """What :func:`progress` yields: call ``advance`` as work is done."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Mark ``amount`` units as done; ``note`` is shown behind the bar."""


class _Bar:
    def __init__(self, total: float, title: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            redirect_stdout=False,  # results may go there, into a pipe
            transient=True,
        )
        self._task = self._bar.add_task(title, total=total, note="")

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._bar.update(self._task, advance=amount, note=note)

    def start(self) -> None:
        self._bar.start()

    def stop(self) -> None:
        self._bar.stop()


class _Lines:
    """A line every ten seconds: what a log file wants."""

    def __init__(self, total: float, title: str) -> None:
        self._total, self._title, self._done = total, title, 0.0
        self._last = time.monotonic()

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._last >= 10:
            self._last = now
            log.info("%s: %g of %g %s", self._title, self._done, self._total, note)

    def start(self) -> None: ...

    def stop(self) -> None: ...


@contextlib.contextmanager
def progress(total: float, title: str) -> Iterator[Progress]:
    """Show a progress bar on a terminal, or a log line every ten seconds elsewhere."""
    bar: _Bar | _Lines = _Bar(total, title) if sys.stderr.isatty() else _Lines(total, title)
    bar.start()
    try:
        yield bar
    finally:
        bar.stop()
