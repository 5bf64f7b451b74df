"""The edge from one training to another, in both tools: joint teaches umt."""

import re

import pytest

pytestmark = pytest.mark.xdist_group("workflow")

STUDENT = [f"models/train/keypad/umt/seed0/{n}" for n in ("model.safetensors", "model.json")]
STUDENT.append("models/train/keypad/umt/seed0/history.csv")


def stale_teacher(project):
    """Give the teacher other options, and take the student's model away."""
    project.params(lambda tree: tree["methods"]["from_scratch"].update(joint={"heads": "trained"}))
    for name in STUDENT:
        (project.folder / name).unlink()


def test_another_teacher_reruns_what_it_taught(copy):
    copy.params(lambda tree: tree["methods"]["from_scratch"].update(joint={"heads": "trained"}))
    copy.snakemake("--quiet", "all")
    stages = ("evaluate:{}/seed0", "search:{}", "train:{}/seed0")
    runs = [f"{dataset}/{method}" for dataset in ("keypad", "mine") for method in ("joint", "umt")]
    expected = [stage.format(run) for stage in stages for run in runs]
    assert copy.jobs() == sorted(["compare:compare", *expected])


def test_a_cell_makes_its_own_files_and_never_those_of_its_teacher(copy):
    stale_teacher(copy)
    copy.run("workflow/scripts/cell", "train", *STUDENT)
    assert copy.jobs() == ["train:keypad/umt/seed0"]


@pytest.mark.parametrize("tool", [(), ("--dvc",)], ids=["snakemake", "dvc"])
def test_one_student_runs_again_and_nothing_else(copy, tool):
    copy.run("workflow/scripts/rerun", "train", "keypad", "umt", "0", *tool)
    assert copy.jobs() == ["train:keypad/umt/seed0"]
    assert copy.nothing_to_do()
    assert copy.stale() == {}


def test_on_a_cluster_a_student_has_a_job_of_its_own(fresh):
    """In one group with its teacher it would wait, within the job, for its own search outside."""
    text = fresh.snakemake("--profile", "slurm", "--dry-run")
    blocks = re.findall(r"Group job train\S* .*\n((?:\n?    .*)+)", text)
    groups = [sorted(re.findall(r"Job \d+: (.*)", block)) for block in blocks]
    assert sorted(groups) == [
        [f"{dataset}, {method}, seed 0: {stage}" for stage in ("evaluate", "train")]
        for dataset in ("keypad", "mine")
        for method in ("gmm-adaptive", "joint", "umt")
    ]


def test_a_teacher_that_is_not_there_is_one_line_before_there_is_a_graph(fresh, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("methods: {teacher: unimodal}\n")
    text = fresh.snakemake("--dry-run", "--configfile", str(overlay), ok=False)
    assert re.search(r"error: params.yaml.*methods.teacher: 'unimodal' is not in the grid", text)
    assert "Building DAG" not in text
