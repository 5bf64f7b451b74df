"""Stop when asked to: preemption and time limits of a cluster, Ctrl-C."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from equipoise.errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


@dataclass
class Stop:
    """The request to stop, made by a signal.

    It acts at once, wherever the process is, so that long phases need not look for it; where a
    block must not be cut, it waits for the end of that block (:meth:`held`).
    """

    name: str = ""
    """Name of the signal that arrived; empty: go on."""
    _held: int = 0
    """Blocks around this place that must not be cut."""

    @contextlib.contextmanager
    def catch(self) -> Iterator[None]:
        """Get SIGTERM, SIGUSR1 and SIGINT while the block runs.

        Outside the main thread no handler can be set, and none is.

        Raises:
            Stopped: A signal arrived.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._arrived) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let the block end before a request acts.

        Raises:
            Stopped: A signal arrived in the block.
        """
        with self.deferred():
            yield
        if not self._held:
            self.act()

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Have a request only noted while the block runs; the block says itself when it acts."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: the first one asks, later ones change nothing, a second Ctrl-C ends."""
        if self.name:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.name = signal.Signals(number).name
        if not self._held:
            self.act()

    def act(self) -> None:
        """Stop if a signal asked for it.

        Raises:
            Stopped: It did.
        """
        if self.name:
            raise Stopped(self.name)
