"""Edits while jobs wait, failures that are tried again, failures that are not. Stand-in stages."""

import shutil
import sys
from pathlib import Path

import pytest

from equipoise import layout

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(1800)]
GRID = {
    "methods": {
        "from_scratch": {"joint": {}},
        "from_warmup": {"gmm-adaptive": {}},
        "with_teacher": {},
    },
    "seeds": [0],
}
METHOD = "src/equipoise/methods/gmm/method.py"


def wait_for_stage(project, process, log, stage):
    trace = project.folder / "trace"
    project.cluster.wait(
        lambda: process.poll() is not None or (trace.exists() and stage in trace.read_text()),
        1500,
        stage,
    )
    assert process.poll() is None, log.read_text()


def test_edits_during_a_run_change_nothing_and_a_killed_job_gets_more_memory(on_cluster, tmp_path):
    project, log = on_cluster(GRID), tmp_path / "log"
    overlay = project.folder / "overlay.yaml"
    overlay.write_text("gap: {n_init: 3}\n")
    (project.folder / "dvc.lock").write_text("schema: '2.0'\n")
    arguments = ("--configfile", "overlay.yaml")
    process = project.start(*project.command(*arguments), log=log, KILL="warmup")
    wait_for_stage(project, process, log, "download:keypad")
    broken = [
        *("Snakefile", "params.yaml", "overlay.yaml", "src/equipoise/layout.py"),
        *("workflow/rules/train.smk", "workflow/scripts/code_files.py"),
    ]
    for name in broken:
        (project.folder / name).rename(project.folder / f"{name}.kept")
        (project.folder / name).write_text("This is not [ what it should be")
    shutil.rmtree(project.folder / "src/equipoise/gap")
    with (project.folder / METHOD).open("a") as file:
        file.write("# a change that decides what gmm computes\n")
    assert process.wait(1500) == 0, log.read_text()
    assert "Not yet in dvc.lock" not in log.read_text(), "DVC records no results of overlays"
    assert project.jobs().count("warmup:keypad/seed0") == 2
    first, second = project.slurm_jobs()["rule_warmup_gap_warmup"]
    assert (first["JobState"], second["JobState"]) == ("FAILED", "COMPLETED")
    assert "mem=8000M" in first["TRES"] and "mem=16000M" in second["TRES"]
    assert (first["TimeLimit"], second["TimeLimit"]) == ("14:00:00", "1-04:00:00")

    # What was not in the run is made good by the next one, and nothing else is.
    for name in broken:
        (project.folder / f"{name}.kept").replace(project.folder / name)
    (frozen,) = (project.folder / "state/code").iterdir()
    shutil.copytree(frozen / "src/equipoise/gap", project.folder / "src/equipoise/gap")
    stale = project.run("snakemake", "--dry-run", *arguments)
    assert "keypad, gmm-adaptive, seed 0: train" in stale
    assert "keypad, gmm-adaptive, seed 0: evaluate" in stale
    assert "joint, seed 0" not in stale and "warm-up" not in stale


def test_a_python_that_slurm_cannot_start_is_refused(on_cluster, tmp_path):
    project = on_cluster(GRID)
    (tmp_path / "with space").symlink_to(Path(sys.executable).parents[1])
    python = str(tmp_path / "with space/bin/python")
    text = project.run(python, "-m", "snakemake", "--profile", "slurm", ok=False)
    assert f"error: {python}: has a space; Slurm cannot start it" in text
    assert project.slurm_jobs() == {}


def test_a_cell_of_dvc_is_a_job_of_the_cluster(on_cluster):
    project = on_cluster(GRID)
    project.run("dvc", "repro", "--quiet", "split@keypad", SNAKEMAKE_PROFILE="slurm")
    assert project.jobs() == ["download:keypad", "extract:keypad", "split:keypad"]
    states = [job["JobState"] for jobs in project.slurm_jobs().values() for job in jobs]
    assert states == ["COMPLETED"] * 3
    assert "split@keypad" not in project.stale()
    wanted = str(layout.split("keypad")["split"])
    assert "Nothing to be done" in project.run("snakemake", "--dry-run", wanted)


def test_a_job_that_fails_by_itself_is_not_tried_again(on_cluster):
    project = on_cluster(GRID)
    text = project.snakemake(ok=False, FAIL="split")
    assert "FAILED, and not tried again: the job for " in text
    assert "as asked" in text, "the log of the failed stage is shown"
    records = project.slurm_jobs().items()
    ((job,),) = [jobs for comment, jobs in records if comment.startswith("rule_split")]
    assert job["JobState"] == "FAILED"
    assert (project.folder / layout.features("keypad")["features"]).exists(), "decoded for nothing"
    assert project.jobs() == ["download:keypad", "extract:keypad", "split:keypad"]
