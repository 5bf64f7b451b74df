"""Jobs on one machine are forks of one process that has PyTorch imported."""

import os
import signal

import pytest
from test_demo import DEMO, children, start
from test_forkserver import gone

from equipoise import layout

pytestmark = pytest.mark.xdist_group("workflow")


@pytest.fixture
def forking(own):
    """A small graph, with the default of ``runtime.fork_server``."""

    def change(tree):
        del tree["runtime"], tree["datasets"]["mine"], tree["methods"]["from_warmup"]

    own.params(change)
    return own


def parents(project, stage):
    logs = (project.folder / "logs" / stage).rglob("*.log")
    return [line for log in logs for line in log.read_text().splitlines() if "child of" in line]


def test_they_have_one_parent_and_it_ends(forking):
    forking.snakemake("--quiet", "all")
    found = [line for stage in ("train", "evaluate") for line in parents(forking, stage)]
    assert len(found) == 4, "two methods"
    assert len(set(found)) == 1
    assert forking.nothing_to_do()
    assert gone(found[0].split()[-1])


def test_few_jobs_do_without(forking):
    forking.snakemake(str(layout.train("keypad", "joint", "0")["weights"]))
    (found,) = parents(forking, "train")
    forking.snakemake(str(layout.evaluate("keypad", "joint", "0")["metrics"]))
    assert parents(forking, "evaluate") != [found]


def test_what_a_killed_demo_left_is_stopped(forking, tmp_path):
    first = start(forking, tmp_path / "log", PAUSE="train")
    for pid in [first.pid, *children(first.pid)]:
        os.kill(pid, signal.SIGKILL)
    first.wait()
    text = forking.run(*DEMO)
    assert "that a killed run left behind" in text
    assert forking.nothing_to_do()
