"""What can happen to a training job on a cluster, and that it changes neither result nor work done.

A real training of a tiny model waits at its sixth step for the fault. Afterwards the files are
those of an undisturbed run, byte for byte, no step was trained twice, and no MLflow run is running.
"""

import contextlib
import os
import re
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
import toy_data
from project_copy import ROOT
from stops import STEPS

from equipoise import files, layout, params
from equipoise.stages import search, train
from equipoise.stages.job import Job
from equipoise.tracking import store

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(3600)]

SLURM_PAGE = ROOT / "docs/slurm.md"
FAULTY = str(Path(__file__).with_name("faulty"))
FILES = layout.train("keypad", "joint", "0")
HERE = "2-3"
"""Epoch and step that the fault comes before: the sixth of twelve."""
EVENT = 1500
"""Longest wait for anything, in seconds; a quiet machine needs some twenty."""


def parameters(checkpoint_seconds):
    return {
        "datasets": {
            "keypad": {
                "download": {},
                "modalities": {m: toy_data.TABLES[m] for m in ("audio", "video")},
            }
        },
        "methods": {"from_scratch": {"joint": {}}, "from_warmup": {}, "with_teacher": {}},
        "seeds": [0],
        "model": toy_data.MODEL.model_dump(mode="json"),
        "train": toy_data.TRAIN.model_dump(mode="json"),
        "runtime": {"device": "cpu", "checkpoint_seconds": checkpoint_seconds},
    }


RARE = parameters(1e6)
"""No periodic checkpoint: only the one that the signal had written can be continued."""
OFTEN = parameters(1e-9)
"""A checkpoint after every step, for faults that leave no time to write one."""


def write_inputs():
    """Write what stands before stage train, in the order of the graph."""
    raw = layout.raw("keypad")
    raw["media"].mkdir(parents=True)
    raw["checksums"].touch()
    raw["manifest"].write_text("sample_id\n")
    toy_data.write_project(dataset="keypad")
    for cell in (layout.features("keypad"), layout.split("keypad"), layout.embed("keypad")):
        for path in cell.values():
            path.touch()
    told = params.load(Path("params.yaml"))
    search.run(
        Job("search", "keypad", "joint"), params.job_settings(told, "search", "keypad", "joint")
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The final files of the same training without a cluster and without a fault."""
    with (
        contextlib.chdir(tmp_path_factory.mktemp("undisturbed")),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLFLOW_TRACKING_URI", "")
        changed = {**params.read_yaml(ROOT / "params.yaml"), **RARE}
        files.write_json(Path("params.yaml"), changed)  # JSON is YAML
        write_inputs()
        told = params.job_settings(params.load(Path("params.yaml")), "train", "keypad", "joint")
        train.run(Job("train", "keypad", "joint", 0, 1, params.Runtime(device="cpu")), told)
        return toy_data.contents(FILES)


@pytest.fixture
def make(on_cluster, tmp_path):
    """Return a function that makes a project whose training meets a fault."""

    def prepared(parameters, **environment):
        project = on_cluster(parameters)
        with contextlib.chdir(project.folder):
            write_inputs()
        store.create_database(f"sqlite:///{project.folder}/mlflow.db")
        return Training(project, tmp_path / "log", environment)

    return prepared


class Training:
    """``snakemake --profile slurm`` for one trained model."""

    def __init__(self, project, log, environment):
        self.project, self.cluster, self.log = project, project.cluster, log
        self.wanted = FILES["weights"]
        self.environment = {
            "PYTHONPATH": f"{project.folder / 'src'}{os.pathsep}{FAULTY}",
            "MLFLOW_TRACKING_URI": f"sqlite:///{project.folder}/mlflow.db",
            **environment,
        }

    def command(self):
        threads = ("--set-threads", "train=1", "evaluate=1")
        return self.project.command(*threads, "--", str(self.wanted))

    def start(self):
        """Start, and wait until the job waits for its fault."""
        self.process = self.project.start(*self.command(), log=self.log, **self.environment)
        self.reach_fault()

    def start_script(self, text):
        """Submit a batch script and wait likewise; return the number of the job."""
        (self.project.folder / "job.sh").write_text(text)
        command = ("sbatch", "--parsable", "--partition=gpu", "job.sh")  # of two nodes
        job = self.project.run(*command, **self.environment).strip()
        self.process = None
        self.reach_fault()
        return job

    def reach_fault(self):
        hangs = self.project.folder / "hangs"
        self.wait(
            lambda: (hangs.exists() and self.runs()) or (self.process and self.ended()),
            "sixth step of a tracked run",
        )
        assert not (self.process and self.ended()), self.log.read_text()

    def ended(self):
        return self.process.poll() is not None

    def wait(self, condition, what):
        try:
            self.cluster.wait(condition, EVENT, what)
        except AssertionError as error:
            logs = [self.log, *self.project.folder.glob("logs/train/**/*.log")]
            texts = [path.read_text() for path in logs if path.exists()]
            raise AssertionError("\n".join([str(error), *texts])) from None

    def end(self):
        """Wait until Snakemake ends; return its status."""
        self.wait(self.ended, "end of snakemake")
        return self.process.returncode

    def jobs(self):
        """Return Slurm's records of the training's jobs, oldest first."""
        return next(iter(self.project.slurm_jobs().values()))

    def state(self, job):
        """Return Slurm's word for the state of a job; nothing while Slurm does not answer."""
        return self.cluster.jobs().get(job, {}).get("JobState")

    def start_again(self, job, node):
        """Start a requeued job now, on another node; its own refuses it for two minutes."""
        self.wait(lambda: self.state(job) == "PENDING", "requeued job")
        self.cluster.client(
            "scontrol", "update", f"JobId={job}", f"ExcNodeList={node}", "StartTime=now"
        )

    def again(self):
        """Run the same command again."""
        self.project.run(*self.command(), **self.environment)

    def check(self, undisturbed, finished=1, replaced="KILLED"):
        """Compare with the undisturbed run; count the steps; look for runs left in MLflow."""
        with contextlib.chdir(self.project.folder):
            assert toy_data.contents(FILES) == undisturbed
            steps = Counter(Path("steps.txt").read_text().split())
        assert steps == Counter(f"{epoch}-{step}" for epoch, step in STEPS)
        assert self.runs().count(("FINISHED", "active")) == finished
        assert set(self.runs()) <= {("FINISHED", "active"), (replaced, "deleted")}

    def runs(self):
        """Return status and stage of life of every MLflow run, those deleted as well."""
        database = f"file:{self.project.folder}/mlflow.db?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            return connection.execute("SELECT status, lifecycle_stage FROM runs").fetchall()


def test_a_cancelled_job_is_continued_by_the_same_command(make, undisturbed):
    training = make(RARE, HANG_AT=HERE)
    training.start()
    (job,) = training.jobs()
    training.cluster.client("scancel", job["JobId"])
    assert training.end() == 1
    assert training.jobs()[0]["JobState"] == "CANCELLED"
    assert not any((training.project.folder / path).exists() for path in FILES.values())
    training.again()
    training.check(undisturbed)


def test_a_job_at_its_time_limit_is_continued_within_the_run(make, undisturbed):
    training = make(RARE, HANG_AT=HERE)
    training.start()
    (job,) = training.jobs()
    training.cluster.client("scontrol", "update", f"JobId={job['JobId']}", "EndTime=now")
    assert training.end() == 0
    assert [job["JobState"] for job in training.jobs()] == ["TIMEOUT", "COMPLETED"]
    training.check(undisturbed)


def test_a_preempted_job_is_started_again_by_slurm(make, undisturbed):
    training = make(RARE, HANG_AT=HERE)
    training.start()
    (job,) = training.jobs()
    training.cluster.client("scontrol", "requeue", job["JobId"])
    training.start_again(job["JobId"], job["NodeList"])
    assert training.end() == 0
    (record,) = training.jobs()
    assert (record["JobState"], record["Restarts"]) == ("COMPLETED", "1")
    training.check(undisturbed)


def test_a_job_on_a_node_that_dies_goes_on_elsewhere(make, undisturbed):
    training = make(OFTEN, HANG_AT=HERE)
    training.start()
    (job,) = training.jobs()
    training.cluster.crash(job["NodeList"])
    try:
        down = ("State=DOWN", "Reason=crash")  # Slurm finds out by itself within minutes
        training.cluster.client("scontrol", "update", f"NodeName={job['NodeList']}", *down)
        training.start_again(job["JobId"], job["NodeList"])
        assert training.end() == 0
    finally:
        training.cluster.start_daemon(job["NodeList"])
        training.cluster.client("scontrol", "update", f"NodeName={job['NodeList']}", "State=RESUME")
    (record,) = training.jobs()
    assert record["JobState"] == "COMPLETED" and record["NodeList"] != job["NodeList"]
    training.check(undisturbed)


def test_a_restart_of_the_controller_disturbs_nothing(make, undisturbed):
    training = make(RARE, HANG_AT=HERE)
    training.start()
    training.cluster.kill("slurmctld")
    training.wait(lambda: "Slurm does not answer" in training.log.read_text(), "question")
    (training.project.folder / "go_on").touch()  # it ends while nobody can be told
    ended = training.project.folder / FILES["model"]
    training.wait(ended.exists, "final files")
    training.cluster.start_daemon("slurmctld")
    assert training.end() == 0
    assert [job["JobState"] for job in training.jobs()] == ["COMPLETED"]
    training.check(undisturbed)


def test_a_job_killed_for_its_memory_is_continued_with_more(make, undisturbed):
    training = make(OFTEN, KILL_AT=HERE)
    training.again()
    first, second = training.jobs()
    assert (first["JobState"], second["JobState"]) == ("FAILED", "COMPLETED")
    assert "mem=8000M" in first["TRES"] and "mem=16000M" in second["TRES"]
    training.check(undisturbed)


def test_an_evaluation_that_is_killed_costs_no_training(make, undisturbed):
    training = make(RARE, KILL_AT="evaluate")
    training.wanted = layout.evaluate("keypad", "joint", "0")["metrics"]
    training.again()
    first, second = training.jobs()  # of both stages
    assert (first["JobState"], second["JobState"]) == ("FAILED", "COMPLETED")
    training.check(undisturbed, finished=2, replaced="FINISHED")


def test_the_batch_script_of_the_documentation_is_queued_again(make, undisturbed):
    (script,) = re.findall(r"```\n(#!/bin/bash\n.*?)```", SLURM_PAGE.read_text(), re.DOTALL)
    training = make(RARE, HANG_AT=HERE)
    job = training.start_script(script.replace("--seed 0", "--seed 0 --threads 1"))
    node = training.cluster.jobs()[job]["NodeList"]
    training.cluster.client("scancel", "--signal=USR1", job)  # what the announcement does
    training.start_again(job, node)
    training.wait(lambda: training.state(job) == "COMPLETED", "finished job")
    assert training.cluster.jobs()[job]["Restarts"] == "1"
    training.check(undisturbed)
