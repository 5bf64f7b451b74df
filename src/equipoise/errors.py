"""The exceptions that users see."""

import contextlib
import difflib
import errno
import os
import sys
from collections.abc import Iterable, Iterator

TRY_AGAIN = 75
"""Exit status of a job that a signal stopped, all saved: EX_TEMPFAIL of BSD's sysexits.h."""
INTERRUPTED = 130
"""Exit status after Ctrl-C: the person at the keyboard wants no second try."""


class UserError(Exception):
    """Bad input of any kind: one line that says what is wrong, where, and what to do.

    The command line prints the message without a traceback and exits with status 2.
    """


class UnreadableError(UserError, ValueError):
    """A file is not what it should be: its text, its table, or a key of it."""


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


class StorageError(UserError, OSError):
    """A file could not be written: one line, and the system's number and words for it.

    Args:
        message: The line.
        cause: What the system or a library said.
    """

    def __init__(self, message: str, cause: BaseException) -> None:
        super().__init__(message)
        self.errno = getattr(cause, "errno", None)
        self.strerror = getattr(cause, "strerror", None)

    def __str__(self) -> str:
        """Return the line."""
        return str(self.args[0])


class ProcessError(UserError):
    """One process of a training job has a problem that the others may not have."""


_ADVICE = {
    errno.ENOSPC: "make room on that disk, then run the same command again",
    errno.EDQUOT: "make room in your quota, then run the same command again",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), then run it again",
    errno.EACCES: "its permissions do not allow that; change them",
    errno.EPERM: "its permissions do not allow that; change them",
    errno.EROFS: "that disk is mounted read-only; work on another",
    errno.EMFILE: "raise the limit on open files (ulimit -n), then run it again",
    errno.ENFILE: "too many files are open on this machine; run it again later",
    errno.ENOMEM: "give the job more memory, or fewer threads",
    errno.EIO: "the disk fails there; equipoise verify says what is damaged",
    errno.ESTALE: "the network file system has lost it; run it again",
    errno.ENOENT: "make it, or name another",
    errno.ENOTDIR: "part of the path is a file; name another",
    errno.EISDIR: "a folder stands there; name another, or move it away",
    errno.ENAMETOOLONG: "use a shorter name",
}


def one_line(error: BaseException) -> str | None:
    """Say in one line what a storage, memory or parser error is about: ``path: what; what to do``.

    Returns:
        None for an error that is none of these: a fault of the program, whose traceback is wanted.
    """
    if isinstance(error, OSError):
        reason = " ".join(str(error.strerror or error).split()) or type(error).__name__
        if error.errno is None:
            advice = "restore it, or make it again"
        else:
            advice = _ADVICE.get(error.errno, "mend it, then run the same command again")
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return f"{' -> '.join(names) or 'standard output'}: {reason}; {advice}"
    if isinstance(error, MemoryError):
        what = " ".join(str(error).split()) or "no more memory"
        return f"out of memory ({what}); lower sizes or batch_size, or give the job more memory"
    if isinstance(error, UnicodeError):
        return f"not UTF-8 text ({error}); restore the file, or make it again"
    return None


@contextlib.contextmanager
def ending_in_one_line() -> Iterator[None]:
    """Let a program of ``workflow/scripts`` end as the command line does: ``error: ...``, status 1.

    A full disk behind standard output is met in here, not when Python ends.
    """
    try:
        yield
        sys.stdout.flush()
    except UserError as error:
        sys.exit(f"error: {error}")
    except (OSError, MemoryError, UnicodeError) as error:
        if sys.stdout is sys.__stdout__:  # what is left in its buffer cannot be written either
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(f"error: {one_line(error)}")


def nearest(name: str, known: Iterable[object]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or list what is known.

    Args:
        name: What was written.
        known: An iterable of valid names.
    """
    names = sorted(str(k) for k in known)
    plain = {known.lower(): known for known in names}  # of Image and image, the one that is near
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5) or [
        plain[word] for word in difflib.get_close_matches(name.lower(), plain, n=1, cutoff=0.5)
    ]
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names) or 'none'}"
