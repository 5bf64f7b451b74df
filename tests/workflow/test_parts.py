"""extract.parts: one job for each part, in a graph that is known before the first of them."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.xdist_group("workflow")

PARTS = [f"extract:keypad/part{number}" for number in range(3)]
DONE = ("data/splits/keypad/split.csv",)


def in_three(project):
    project.params(lambda tree: tree["extract"].update(parts=3))


def test_parts_are_jobs_and_leave_nothing_behind(own):
    own.snakemake("--quiet", "all", "--", *DONE)
    assert own.jobs() == ["download:keypad", "extract:keypad", "split:keypad"]
    in_three(own)
    own.snakemake("--quiet", "all", "--until", "extract", "--", *DONE)
    assert own.jobs() == ["extract:keypad", *PARTS]
    assert not list(own.folder.glob("data/parts/*/*"))
    assert "Nothing to be done" in own.snakemake("--dry-run", "--", *DONE), "the same bytes"
    features = "data/features/keypad/features.h5"
    (own.folder / features).unlink()
    own.snakemake("--quiet", "all", "--", features)
    assert own.jobs() == ["extract:keypad", *PARTS], "on as many nodes as the first time"


def test_a_killed_part_costs_the_others_nothing(own):
    in_three(own)
    for number in (0, 2):  # as if these had been killed before
        (own.folder / f"killed/keypad/part{number}").mkdir(parents=True)
    own.snakemake("--quiet", "all", "--keep-going", "--", *DONE, ok=False, KILL="extract")
    assert own.jobs() == ["download:keypad", *PARTS]
    own.snakemake("--quiet", "all", "--", *DONE, KILL="extract")
    assert own.jobs() == ["extract:keypad", PARTS[1], "split:keypad"]


def test_a_cell_of_dvc_makes_the_parts_and_joins_them(own):
    in_three(own)
    own.run("dvc", "repro", "--quiet", "extract@keypad")
    assert own.jobs() == ["download:keypad", "extract:keypad", *PARTS]
    own.run("workflow/scripts/rerun", "extract", "keypad")
    assert own.jobs() == ["extract:keypad", *PARTS]


@pytest.fixture
def arrays(monkeypatch):
    scripts = Path(__file__).resolve().parents[2] / "workflow/scripts"
    monkeypatch.setattr(sys, "path", [str(scripts), *sys.path])
    return importlib.import_module("arrays")


def test_job_arrays_are_refused_in_one_line(arrays):
    told = arrays.refusal(SimpleNamespace(array_jobs="train, all"))
    assert "slurm-array-jobs (train, all) is refused" in told and "docs/slurm.md" in told
    assert "\n" not in told
    assert arrays.refusal(SimpleNamespace(array_jobs=None)) == ""
    assert arrays.refusal(SimpleNamespace()) == "", "another version of the plugin"


def test_snakemake_ends_before_a_job_where_arrays_are_asked_for(fresh):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    asked = ("--executor", "slurm", "--slurm-array-jobs", "train", "--jobs", "2")
    text = fresh.snakemake(*asked, "--default-resources", "slurm_partition=x", ok=False)
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: slurm-array-jobs (train) is refused")
    assert fresh.jobs() == []
