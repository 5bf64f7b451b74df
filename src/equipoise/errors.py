"""The exceptions that users see."""

import difflib
from collections.abc import Iterable

TRY_AGAIN = 75
"""Exit status of a job that a signal stopped, all saved: EX_TEMPFAIL of BSD's sysexits.h."""
INTERRUPTED = 130
"""Exit status after Ctrl-C: the person at the keyboard wants no second try."""


class UserError(Exception):
    """Bad input of any kind: one line that says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with status 2.
    """


class DivergedError(UserError):
    """The loss became NaN or infinite: a hyper-parameter search goes on with the next trial."""


class Stopped(BaseException):
    """A signal asked to stop; the same command continues.

    No ``Exception``: it comes at any place, where nobody must take it for an error to recover from.
    The command line prints the message and exits with status 75 (or 130: Ctrl-C).

    Args:
        signal: Name of the signal.
        checkpoint: What a training job goes on from.
    """

    def __init__(self, signal: str, checkpoint: str = "") -> None:
        super().__init__(signal, checkpoint)
        self.signal = signal
        self.checkpoint = checkpoint

    def __str__(self) -> str:
        """Return one line that says what to do."""
        saved = f"saved in {self.checkpoint}" if self.checkpoint else "nothing is left to save"
        return f"stopped by {self.signal}; {saved}; the same command continues"


class ProcessError(UserError):
    """One process of a training job has a problem that the others may not have."""


def nearest(name: str, known: Iterable[object]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or list what is known.

    Args:
        name: What was written.
        known: An iterable of valid names.
    """
    names = sorted(str(k) for k in known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names) or 'none'}"
