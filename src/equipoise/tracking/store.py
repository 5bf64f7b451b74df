"""What is said to MLflow, call by call. Everything here may raise and may take long."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise import files
from equipoise.tracking import views
from equipoise.tracking.journal import Artifact, End, Metrics, Record, Start, Tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SQLITE = "sqlite:///"
#: MLflow's limit of parameters in one call.
BATCH = 100
#: Letters of the longest parameter that MLflow keeps whole.
LONGEST = 6000
#: No telemetry, no pickles, three HTTP attempts of at most five seconds, and no tracebacks: what
#: fails is said once, by this package. The user's values win.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


#: Tags by which ``equipoise track import`` knows a run: of which journal, and how much of it came.
JOURNAL, RECORDS = "journal", "journal_records"


class StoredRun:
    """A run in the store; made by the constructor.

    Args:
        uri: The store.
        start: Experiment, name, parameters and tags of the run.
        journal: Id of its journal.
    """

    def __init__(self, uri: str, start: Start, journal: str) -> None:
        from mlflow.entities import Param

        self._client = _client(uri)
        self._experiment = _experiment_id(self._client, start.experiment, uri)
        self._start, self._journal, self._records, self._id = start, journal, 1, ""
        for old in self._earlier():
            if old.info.status == "RUNNING":
                self._client.set_terminated(old.info.run_id, "KILLED")
        self._id = self._client.create_run(
            self._experiment,
            start_time=start.time,
            run_name=start.name,
            tags={**start.tags, JOURNAL: journal},
        ).info.run_id
        params = [Param(key, value) for key, value in split_long(start.params).items()]
        for first in range(0, len(params), BATCH):
            self._client.log_batch(self._id, params=params[first : first + BATCH])

    def log(self, record: Record) -> None:
        """Send one record; :class:`End` closes the run, and deletes what it replaces."""
        from mlflow.entities import Metric, RunTag

        self._records += 1
        match record:
            case Metrics(time=time, step=step, values=values):
                infinite = sorted(name for name, value in values.items() if math.isinf(value))
                metrics = [
                    Metric(name, math.nan if name in infinite else value, time, step)
                    for name, value in values.items()
                ]
                # A database keeps infinity as its largest number, which a chart then shows.
                tags = [RunTag("infinite", f"step {step}: {', '.join(infinite)}"[:LONGEST])]
                self._client.log_batch(self._id, metrics=metrics, tags=tags if infinite else ())
            case Tags(values=tags):
                self._client.log_batch(self._id, tags=[RunTag(k, v) for k, v in tags.items()])
            case Artifact(path=path):
                self._client.log_artifact(self._id, str(path))
            case End():
                self._finish(record)

    def _finish(self, end: End) -> None:
        self._client.set_terminated(self._id, end.status, end_time=end.time)
        self._client.set_tag(self._id, RECORDS, str(self._records))
        for old in self._earlier():
            if end.status == "FINISHED" or old.data.tags.get(JOURNAL) == self._journal:
                self._client.delete_run(old.info.run_id)

    def _earlier(self) -> list[Run]:
        """Return the older runs of this job, and parts of this very run (see :func:`find`)."""
        return [
            run
            for run in _same_job(self._client, self._experiment, self._start)
            if run.info.run_id != self._id
            and (
                run.data.tags.get(JOURNAL) == self._journal
                or run.info.start_time < self._start.time
            )
        ]


def split_long(params: Mapping[str, str]) -> dict[str, str]:
    """Return parameters of which none is too long for MLflow: ``key``, ``key.2``, ``key.3``."""
    return {
        key if part == 0 else f"{key}.{part + 1}": value[part * LONGEST : (part + 1) * LONGEST]
        for key, value in params.items()
        for part in range(max(1, -(-len(value) // LONGEST)))
    }


def find(uri: str, start: Start, journal: str, records: int) -> str:
    """Say whether a run must be imported, and if not, why not.

    What a broken connection left of it does not count: importing the run replaces that.

    Returns:
        ``"there"``: the store holds, or somebody deleted, all ``records`` of it; ``"replaced"``: a
        later execution of the same job succeeded; else an empty string.
    """
    client = _client(uri)
    experiment = client.get_experiment_by_name(start.experiment)
    if experiment is None:
        return ""
    for run in _same_job(client, experiment.experiment_id, start, deleted=True):
        tags = run.data.tags
        if tags.get(JOURNAL) == journal and tags.get(RECORDS) == str(records):
            return "there"
    for run in _same_job(client, experiment.experiment_id, start):
        if run.info.status == "FINISHED" and run.info.start_time > start.time:
            return "replaced"
    return ""


def _client(uri: str) -> MlflowClient:
    create_database(uri)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _same_job(
    client: MlflowClient, experiment: str, start: Start, deleted: bool = False
) -> list[Run]:
    """Return the runs of the same user, job, settings and data, the deleted ones too if wanted."""
    from mlflow.entities import ViewType

    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
    key, user = start.tags["run_key"], start.tags["mlflow.user"]
    found = client.search_runs([experiment], f"tags.run_key = '{key}'", view)
    return [run for run in found if run.data.tags.get("mlflow.user") == user]


def prepare_import() -> None:
    """Set what MLflow reads from the environment when it is imported; silence its HTTP retries."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def now() -> int:
    """Return the time in milliseconds, as MLflow counts it."""
    return int(time.time() * 1000)


def create_database(uri: str) -> None:
    """Make the schema of a SQLite store under another name and rename it: no one sees half of it.

    MLflow's own first start is not safe: of eight processes that share a fresh file, seven fail.
    Stores of other kinds, and one that exists, are left alone.
    """
    path = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or "?" in uri:
        return
    left_over = f".{path.stem}.*.tmp{path.suffix}*"
    if path.exists() and not any(path.parent.glob(left_over)):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for old in path.parent.glob(left_over):  # whoever made it was killed: we hold the lock
            old.unlink()
        if path.exists():
            return
        prepare_import()
        from mlflow import MlflowClient

        with files.atomic_path(path) as temporary:
            MlflowClient(tracking_uri=f"{SQLITE}{temporary.absolute()}").search_experiments()


def _experiment_id(client: MlflowClient, name: str, uri: str) -> str:
    """Return the id of an experiment: made if new (others may do so now), restored if deleted."""
    from mlflow.exceptions import MlflowException

    found: Any = client.get_experiment_by_name(name)
    if found is None:
        # Without a place of their own, artifacts go to ./mlruns of whatever folder a job runs in.
        folder = Path(uri.removeprefix(SQLITE)).absolute().parent / "mlruns" / name
        place = str(folder) if uri.startswith(SQLITE) else None
        try:
            client.create_experiment(name, place)
        except MlflowException:
            if client.get_experiment_by_name(name) is None:
                raise
        found = client.get_experiment_by_name(name)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    views.add(client, found.experiment_id, found.tags)
    return str(found.experiment_id)
