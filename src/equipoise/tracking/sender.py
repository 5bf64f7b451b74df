"""One thread for each tracked run talks to MLflow, so that training never waits for a server."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import threading
import time
from collections.abc import Callable

from equipoise import files
from equipoise.console import log
from equipoise.tracking import journal as journals
from equipoise.tracking.journal import End, Record, Start
from equipoise.tracking.store import StoredRun

#: Longest time that the end of a job waits for what is still in the queue. HTTP calls give up long
#: before (see ENVIRONMENT); a busy machine may need it for the first start of a SQLite store.
GRACE_SECONDS = 60.0
#: The same where the job was asked to stop: what asked kills soon.
STOPPED_GRACE_SECONDS = 5.0
#: With the value ``later``: whoever started the job imports the journals that it leaves.
WHEN = "EQUIPOISE_TRACKING"
#: A run that lasts longer is sent while it goes on, also then. To import mlflow and to open a store
#: costs a job some six seconds of CPU time; journals of many runs are sent by one process.
SHORT_SECONDS = 60.0
#: Environment variable that all jobs of one run of Snakemake share.
RUN = "EQUIPOISE_RUN"
#: Where a job notes for the others of its run that the store does not answer.
SLOW = journals.FOLDER.with_name("tracking_slow.json")


class Sender:
    """The thread and the queue before it. The first failure ends both, with one warning.

    Args:
        uri: The store.
        start: First record of the run.
        journal: Id of its journal.
        kept: Where the journal is, for the warning; empty: nowhere.
    """

    def __init__(self, uri: str, start: Start, journal: str, kept: str) -> None:
        self._uri, self._start, self._journal, self._kept = uri, start, journal, kept
        self._given_up = False
        self._queue: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def put(self, record: Record) -> None:
        """Have the thread send ``record`` after all that was put before; returns at once."""
        if self._thread.is_alive():
            self._queue.put(record)

    def finish(self, stopped: bool) -> bool:
        """Wait, at most :data:`GRACE_SECONDS`; return whether everything arrived.

        Args:
            stopped: The job was asked to stop: wait at most :data:`STOPPED_GRACE_SECONDS`.
        """
        grace = STOPPED_GRACE_SECONDS if stopped else GRACE_SECONDS
        self._queue.put(None)
        self._thread.join(grace)
        if self._thread.is_alive():
            self._give_up(TimeoutError(f"no answer within {grace:g} s"))
        return not self._given_up

    def _work(self) -> None:
        try:
            stored = StoredRun(self._uri, self._start, self._journal)
            while (record := self._queue.get()) is not None:
                stored.log(record)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        if not self._given_up:
            self._given_up = True
            warn(self._uri, error, self._kept)
            if isinstance(error, TimeoutError):
                remember(self._uri)


class Later:
    """A sender that starts only if the run is not over soon; its journal is imported otherwise.

    Args:
        make: Starts the sender; None if that failed, which it has said.
    """

    def __init__(self, make: Callable[[], Sender | None]) -> None:
        self._make: Callable[[], Sender | None] | None = make
        self._sender: Sender | None = None
        self._due = time.monotonic() + SHORT_SECONDS
        self._before: list[Record] = []

    def put(self, record: Record) -> None:
        """Keep ``record``, or send it, after all that was put before."""
        if self._make and time.monotonic() >= self._due and not isinstance(record, End):
            self.start()
        if self._make:
            self._before.append(record)
        elif self._sender:
            self._sender.put(record)

    def start(self) -> None:
        """Send from now on, first what was kept."""
        if self._make is None:
            return
        self._sender, self._make = self._make(), None
        for record in self._before:
            self.put(record)
        self._before.clear()

    def finish(self, stopped: bool) -> bool:
        """Return whether everything arrived (see :meth:`Sender.finish`)."""
        return self._sender is not None and self._sender.finish(stopped)


def remember(uri: str) -> None:
    """Note that a store does not answer, for the jobs that come in the same run of Snakemake."""
    if run := os.environ.get(RUN):
        with contextlib.suppress(OSError):
            files.write_json(SLOW, {"run": run, "store": files.digest(uri)})


def is_slow(uri: str) -> bool:
    """Whether an earlier job of this run of Snakemake has waited for the store in vain."""
    try:
        noted = json.loads(SLOW.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return bool(noted == {"run": os.environ.get(RUN), "store": files.digest(uri)})


def warn(uri: str, error: Exception, kept: str = "") -> None:
    """Say in one line what failed, that the job goes on, and where its run is kept."""
    rest = f"`equipoise track import` sends its run, kept in {kept}" if kept else "untracked"
    log.warning(
        "MLflow (%s): %s; the job goes on, %s", without_password(uri), one_line(error), rest
    )


def one_line(error: Exception) -> str:
    """Return the message of an error in one line of at most 300 letters, without passwords."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return without_password(reason)[:300]


def without_password(text: str) -> str:
    """Return ``text`` with user and password cut out of every URI in it."""
    return re.sub(r"//[^/@\s]*@", "//", text)
