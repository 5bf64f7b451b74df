"""Stopped by a signal and started again: the same bytes, and no step twice."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_data
from stops import PLACES, STEPS, count_steps, forget_outputs, send_at
from toy_data import contents

from equipoise import cli, files, layout
from equipoise.errors import TRY_AGAIN, Stopped
from equipoise.params import Evaluate
from equipoise.stages import evaluate, gap, search, warmup
from equipoise.training import job
from equipoise.training.checkpoint import Checkpoints

RARE = {"checkpoint_seconds": 1e6}
"""No periodic checkpoint: what is resumed from is what the signal had written."""
IN_A_WORKFLOW = {**RARE, "code": "digest"}
"""The workflow says which code it is; only then does an ended training keep a checkpoint."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with contextlib.chdir(tmp_path_factory.mktemp("undisturbed")):
        toy_data.write_project()
        return contents(toy_data.run_train("joint", runtime=RARE))


def stop_and_go_on(monkeypatch, place, count):
    """Train, stopped at a place, then again; returns the final files, the steps, the exception."""
    taken = count_steps(monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(Stopped) as stopped:
        send_at(patch, place, count)
        toy_data.run_train("joint", runtime=RARE)
    forget_outputs(layout.train("toy", "joint", "0"))
    return contents(toy_data.run_train("joint", runtime=RARE)), taken, stopped.value


@pytest.mark.parametrize("place", PLACES)
def test_no_step_is_lost_or_done_twice_wherever_the_signal_comes(monkeypatch, undisturbed, place):
    count = {"epoch_start": 3, "step": 8, "validation": 3, "epoch_end": 3}.get(place, 1)
    result, taken, _ = stop_and_go_on(monkeypatch, place, count)
    assert taken == STEPS
    assert result == undisturbed
    assert not list(Path().rglob("state.pt"))


@pytest.mark.parametrize("count", range(1, len(STEPS) + 1))
def test_after_every_single_step(monkeypatch, undisturbed, count):
    result, taken, stopped = stop_and_go_on(monkeypatch, "step", count)
    assert taken == STEPS and result == undisturbed
    epoch, step = STEPS[count - 1]
    assert stopped.checkpoint.endswith(f"{epoch:05d}-{step:08d}")


def test_stopped_again_and_again(monkeypatch, undisturbed):
    taken = count_steps(monkeypatch)
    for _ in STEPS:
        with monkeypatch.context() as patch, pytest.raises(Stopped):
            send_at(patch, "step")
            toy_data.run_train("joint", runtime=RARE)
    assert contents(toy_data.run_train("joint", runtime=RARE)) == undisturbed
    assert taken == STEPS


def test_stopped_while_it_resumes_keeps_the_checkpoint(monkeypatch, undisturbed):
    with monkeypatch.context() as patch, pytest.raises(Stopped) as first:
        send_at(patch, "step", 5)
        toy_data.run_train("joint", runtime=RARE)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        send_at(patch, "setup")
        toy_data.run_train("joint", runtime=RARE)
    assert Path(first.value.checkpoint).exists()
    taken = count_steps(monkeypatch)
    assert contents(toy_data.run_train("joint", runtime=RARE)) == undisturbed
    assert taken == STEPS[5:]


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(monkeypatch, undisturbed):
    def full(self, checkpoint):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        send_at(patch, "step", 4)
        toy_data.run_train("joint", runtime=RARE)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(Checkpoints, "save", full)
        send_at(patch, "step", 2)
        toy_data.run_train("joint", runtime=RARE)
    taken = count_steps(monkeypatch)
    assert contents(toy_data.run_train("joint", runtime=RARE)) == undisturbed
    assert taken == STEPS[4:]


def test_nothing_is_trained_again_when_only_the_final_files_failed(monkeypatch, undisturbed):
    taken, write = count_steps(monkeypatch), job._write
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):

        def full(*arguments):
            write(*arguments)
            raise OSError(28, "No space left on device")

        patch.setattr(job, "_write", full)
        toy_data.run_train("joint", runtime=RARE)
    forget_outputs(layout.train("toy", "joint", "0"))
    assert contents(toy_data.run_train("joint", runtime=RARE)) == undisturbed
    assert taken == STEPS


def test_a_finished_training_whose_files_are_lost_is_not_done_again(monkeypatch, undisturbed):
    forget_outputs(toy_data.run_train("joint", runtime=IN_A_WORKFLOW))
    taken = count_steps(monkeypatch)
    assert contents(toy_data.run_train("joint", runtime=IN_A_WORKFLOW)) == undisturbed
    assert taken == []


@pytest.mark.parametrize("ended", [True, False])
def test_other_code_takes_over_nothing(monkeypatch, undisturbed, ended):
    with monkeypatch.context() as patch, contextlib.suppress(Stopped):
        if not ended:
            send_at(patch, "step", 5)
        toy_data.run_train("joint", runtime=IN_A_WORKFLOW)
    taken = count_steps(monkeypatch)
    other = {**IN_A_WORKFLOW, "code": "other"}
    assert contents(toy_data.run_train("joint", runtime=other)) == undisturbed
    assert taken == STEPS


def test_the_stage_that_reads_a_model_ends_its_training_s_checkpoints(monkeypatch):
    columns = ["sample_id", "label", "split", "group"]
    rows = [{**dict.fromkeys(columns, ""), "sample_id": f"clip{i:03d}"} for i in range(60)]
    rows = [row | {"label": f"label {i % 2}"} for i, row in enumerate(rows)]
    files.write_csv(layout.raw("toy")["manifest"], columns, rows)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        send_at(patch, "step", 5)
        toy_data.run_train("joint", runtime={**IN_A_WORKFLOW, "code": "other"})
    toy_data.run_train("joint", runtime=IN_A_WORKFLOW)
    assert len(list(layout.state("train").rglob("state.pt"))) == 2
    evaluate.run(toy_data.job("evaluate", "joint"), Evaluate())
    (unfinished,) = layout.state("train").rglob("state.pt")
    assert unfinished.parent.name == "00002-00000002"

    warmup.run(toy_data.job("warmup", code="digest"), toy_data.warmup_settings())
    (kept,) = layout.state("warmup").rglob("state.pt")
    gap.run(toy_data.job("gap"), toy_data.GAP)
    assert not kept.exists()


def arguments():
    """Return those of ``equipoise train`` on the toy data, after a search of one trial."""
    told = toy_data.train_settings()
    search.run(toy_data.job("search", "joint"), toy_data.search_settings(told))
    cell = ("--dataset", "toy", "--method", "joint", "--seed", "0", "--threads", "1")
    return ["train", *cell, "--settings", told.model_dump_json()]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)]
)
def test_the_exit_status_asks_for_another_try_or_not(monkeypatch, capsys, number, status):
    monkeypatch.setenv("EQUIPOISE_RUNTIME", json.dumps({"device": "cpu", **RARE}))
    send_at(monkeypatch, "validation", 2, number)
    assert cli.main(arguments()) == status
    place = layout.state("train", "toy", "joint", "seed0")
    (folder,) = place.glob("*/00002-00000003")
    (line,) = [s for s in capsys.readouterr().err.splitlines() if s.startswith("equipoise")]
    said = f"stopped by {number.name}; saved in {folder}; the same command continues"
    assert line == f"equipoise train: {said}"


HANGS = """
import runpy, sys, time
from pathlib import Path
from equipoise.training.loop import Trainer
evaluate, passed = Trainer.evaluate, []
def hangs(self, subset):
    passed.append(subset)
    if len(passed) == 2:
        Path("hangs").touch()
        time.sleep(600)
    return evaluate(self, subset)
Trainer.evaluate = hangs
runpy.run_module("equipoise.cli", run_name="__main__")
"""


def test_a_process_in_an_endless_validation_ends_and_is_continued(tmp_path, undisturbed):
    runtime = json.dumps({"device": "cpu", **RARE})
    environment = {**os.environ, "EQUIPOISE_RUNTIME": runtime, "OMP_NUM_THREADS": "1"}
    told = arguments()
    process = subprocess.Popen([sys.executable, "-c", HANGS, *told], env=environment)
    deadline = time.monotonic() + 200
    while not (tmp_path / "hangs").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=100) == TRY_AGAIN == 75
    again = [sys.executable, "-m", "equipoise.cli", *told]
    said = subprocess.run(again, env=environment, check=True, capture_output=True, text=True).stderr
    assert "resuming in epoch 2 after step 3" in said
    assert contents(layout.train("toy", "joint", "0")) == undisturbed
