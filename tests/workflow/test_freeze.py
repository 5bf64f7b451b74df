"""The copy of the code that the jobs of a cluster run read."""

import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("workflow")
FREEZE = """
import sys
sys.path.insert(0, "workflow/scripts")
import freeze
print(freeze.freeze(map(freeze.Path, sys.argv[1:])))
"""


def freeze(project, *overlays):
    return project.run(sys.executable, "-c", FREEZE, *overlays).split()[-1]


def test_the_same_code_is_copied_once_and_any_change_makes_another_copy(copy):
    first = freeze(copy)
    assert freeze(copy) == first
    overlay = copy.folder / "overlay.yaml"
    overlay.write_text("train: {epochs: 30}\n")
    second = freeze(copy, "overlay.yaml")
    (copy.folder / "src/equipoise/layout.py").open("a").write("# changed\n")
    third = freeze(copy)
    kept = sorted(str(path) for path in (copy.folder / "state/code").iterdir())
    assert kept == sorted({first, second, third})


def test_the_copy_holds_merged_parameters_and_tells_the_commit(copy):
    from equipoise import params

    (copy.folder / "overlay.yaml").write_text("train: {epochs: 30}\nseeds: [7]\n")
    frozen = freeze(copy, "overlay.yaml")
    loaded = params.load(f"{frozen}/params.yaml")
    assert (loaded.train.epochs, loaded.seeds) == (30, [7])
    head = copy.git("rev-parse", "HEAD").strip()
    noted = json.loads((Path(frozen) / "commit.json").read_text())
    assert noted == {"commit": head, "dirty": False}
    (copy.folder / "Snakefile").open("a").write("\n")
    copy.git("commit", "--all", "--message", "later")
    said = copy.run(
        *(sys.executable, "-c", "from equipoise import provenance as p; print(p.code().commit)"),
        PYTHONPATH=f"{frozen}/src",
    )
    assert said.strip() == head, "the commit of the code that runs, not the one checked out"


def test_bad_parameters_stop_a_cluster_run_before_anything_is_copied(copy):
    (copy.folder / "overlay.yaml").write_text("train: {epoch: 3}\n")
    text = copy.run(
        *("snakemake", "--profile", "slurm", "--configfile", "overlay.yaml", "--dry-run"), ok=False
    )
    assert "train.epoch: unknown key; did you mean 'epochs'" in text
    assert not (copy.folder / "state/code").exists()
