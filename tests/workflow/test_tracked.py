"""The end of a Snakemake run brings the journals of its jobs into MLflow, after a failure, too."""

import sys

import pytest

pytestmark = pytest.mark.xdist_group("workflow")
JOURNAL = """
from equipoise import tracking
from equipoise.section import Section
from equipoise.stages.job import Job
with tracking.run(Job("train", "keypad", "joint", 0), Section()) as run:
    run.metrics({"val_loss": 0.5}, step=1)
"""
FOUND = """
from mlflow import MlflowClient
client = MlflowClient(tracking_uri="sqlite:///mlflow.db")
experiment = client.get_experiment_by_name("keypad").experiment_id
print(*[(run.info.status, run.data.metrics) for run in client.search_runs([experiment])])
"""


@pytest.mark.parametrize("fails", [False, True])
def test_what_jobs_left_is_in_the_store_when_snakemake_ends(own, fails):
    """The stand-ins track nothing: a job of an earlier run, killed before its end, left this."""
    unset = ("env", "-u", "MLFLOW_TRACKING_URI")
    own.run(*unset, sys.executable, "-c", JOURNAL, EQUIPOISE_TRACKING="later")
    (journal,) = own.folder.glob("state/tracking/*/run.jsonl")
    assert not (own.folder / "mlflow.db").exists()
    graph = ("snakemake", "--cores", "2", "--quiet", "all", "--until", "download")
    own.run(*unset, *graph, ok=not fails, **({"FAIL": "download"} if fails else {}))
    assert not journal.exists()
    found = own.run(*unset, sys.executable, "-c", FOUND).splitlines()[-1]
    assert found == "('FINISHED', {'val/loss': 0.5})"
