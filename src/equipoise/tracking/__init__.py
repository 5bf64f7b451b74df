"""MLflow as a view on the results: the only package that imports mlflow.

Every number logged here also stands in a declared output of its stage, so the store may be off,
dead, slow, read-only or deleted and no result is lost. Nor is the run: until it has arrived, a
journal in ``state/tracking`` holds it, and ``equipoise track import`` sends it.

Where runs go: ``MLFLOW_TRACKING_URI`` if set (empty: nowhere), else ``mlflow.db`` and ``mlruns``
in the project folder; inside a Slurm job into the journal only, since SQLite is not safe on a
shared file system. Short jobs of a Snakemake run on this machine leave their journals to its end.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from equipoise.console import log
from equipoise.errors import UserError
from equipoise.tracking import journal, names, sender, store
from equipoise.tracking.journal import Artifact, End, Journal, Metrics, Record, Start, Tags

if TYPE_CHECKING:
    from equipoise.section import Section
    from equipoise.stages.job import Job

Target = sender.Sender | sender.Later

__all__ = ["Run", "init_store", "run", "shown_uri", "store_uri"]


def shown_uri() -> str:
    """Return where runs go in a form that can be printed: no password, a folder, or ``off``."""
    if not _is_on():
        return "off"
    return sender.without_password(store_uri()) or f"{journal.FOLDER}/"


def store_uri() -> str:
    """Return where runs go, or an empty string for no store."""
    if (uri := os.environ.get("MLFLOW_TRACKING_URI")) is not None:
        return uri.strip()
    return "" if "SLURM_JOB_ID" in os.environ else f"{store.SQLITE}{Path.cwd() / 'mlflow.db'}"


def _is_on() -> bool:
    return os.environ.get("MLFLOW_TRACKING_URI", "unset").strip() != ""


def init_store() -> None:
    """Create the SQLite store if runs go to one that does not exist yet; any number at once may.

    Here failure is an error, unlike everywhere else in this package: nothing else was asked for.

    Raises:
        UserError: It cannot be made.
    """
    uri = store_uri()
    try:
        store.create_database(uri)
    except Exception as error:
        reason = sender.one_line(error).partition(" [SQL:")[0]
        raise UserError(
            f"{uri.removeprefix(store.SQLITE)}: the MLflow store cannot be made ({reason}); "
            "make room on that disk, or name another place in MLFLOW_TRACKING_URI"
        ) from error


@contextlib.contextmanager
def run(job: Job, settings: Section) -> Iterator[Run]:
    """Track one execution of one job; an exception in the block marks it failed and goes on.

    A new MLflow run each time. Earlier runs of the same user, job, settings and data are deleted
    (softly: ``mlflow gc`` frees them) when this one succeeds; those that were killed lose their
    status "running" at once.

    Args:
        job: Decides experiment (the data set), name and tags.
        settings: Become the parameters, nested keys joined by dots.

    Yields:
        The handle to log with. Nothing it does raises or waits.
    """
    handle = _start(job, settings)
    try:
        yield handle
    except BaseException as error:
        handle.tags({"error": f"{type(error).__name__}: {error}"[:500]})
        handle.finish("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    handle.finish("FINISHED")


class Run:
    """Handle of one tracked execution; does nothing when tracking is off.

    Args:
        kept: Its journal.
        target: Where it goes at once; without it, the journal waits for an import.
    """

    def __init__(self, kept: Journal | None = None, target: Target | None = None) -> None:
        self._journal, self._target = kept, target

    def metrics(self, values: Mapping[str, Any], step: int = 0) -> None:
        """Log the numbers among ``values`` under the names of :func:`names.metric_names`.

        Args:
            values: A row of history.csv, or a table of numbers such as ``{"test": {...}}``.
            step: The epoch.
        """
        named = names.metric_names(values)
        self._log(Metrics(time=store.now(), step=step, values=named))

    def artifact(self, path: Path) -> None:
        """Attach a file that is complete under its final name."""
        self._log(Artifact(path=Path(path).absolute()))

    def tags(self, values: Mapping[str, Any]) -> None:
        """Set tags; values become strings."""
        self._log(Tags(values={key: str(value) for key, value in values.items()}))

    def finish(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Send what is left and close the run; :func:`run` calls this."""
        self._log(End(time=store.now(), status=status))
        arrived = self._target is not None and self._target.finish(status == "KILLED")
        if self._journal:
            self._journal.close()
            if arrived:
                self._journal.remove()

    def _log(self, record: Record) -> None:
        if self._target:
            self._target.put(record)
        if self._journal:
            try:
                self._journal.append(record)
            except (OSError, ValueError) as error:  # a full disk; text that is no UTF-8
                _warn_of_journal(error)
                self._journal = None
                if isinstance(self._target, sender.Later):  # there is nothing left to import
                    self._target.start()


def _start(job: Job, settings: Section) -> Run:
    if not _is_on():
        return Run()
    identity, kept = uuid.uuid4().hex, None
    start = Start(
        time=store.now(),
        experiment=job.dataset or job.stage,
        name=names.run_name(job),
        params=names.flatten(settings.model_dump(mode="json")),
        tags=names.tags_of(job, settings),
    )
    try:
        kept = Journal(identity, start)
    except (OSError, ValueError) as error:
        _warn_of_journal(error)
    later = os.environ.get(sender.WHEN) == "later" and "MLFLOW_TRACKING_URI" not in os.environ
    if kept and later and store_uri():
        return Run(kept, sender.Later(lambda: _sender(identity, start, kept)))
    return Run(kept, _sender(identity, start, kept))


def _sender(identity: str, start: Start, kept: Journal | None) -> sender.Sender | None:
    if not (uri := store_uri()):
        return None
    folder = str(kept.folder) if kept else ""
    if sender.is_slow(uri):
        error = TimeoutError("did not answer an earlier job of this run")
        sender.warn(uri, error, folder)
        return None
    try:
        store.prepare_import()
        # Here and not in the thread: two threads that import at once can meet half-made modules.
        import mlflow  # noqa: F401

        return sender.Sender(uri, start, identity, folder)
    except Exception as error:
        sender.warn(uri, error, folder)
        return None


def _warn_of_journal(error: Exception) -> None:
    log.warning("%s: %s; the job goes on, its run is lost if MLflow is", journal.FOLDER, error)
