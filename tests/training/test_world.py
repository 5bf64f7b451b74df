"""Several processes for one job: shares, agreement, signals, errors."""

import glob
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import processes
import pytest
import torch
import toy_data
from torch import nn
from torch.distributed.launcher import api

from equipoise import layout
from equipoise.errors import TRY_AGAIN, ProcessError, UserError
from equipoise.training import launch, world
from equipoise.training.checkpoint import Checkpoints
from equipoise.training.shares import share
from equipoise.training.world import World

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(3600)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def test_shares_are_a_partition():
    for count in (0, 1, 2, 7, 64):
        for size in (1, 2, 3, 8):
            spans = [World(rank, size).span(count) for rank in range(size)]
            rows = [row for span in spans for row in range(count)[span]]
            assert rows == list(range(count))
            lengths = [span.stop - span.start for span in spans]
            assert max(lengths) - min(lengths) <= 1


def test_an_encoder_that_cannot_be_shared_out_is_refused_before_training():
    def given(layer):
        return nn.ModuleDict({"video": nn.Sequential(nn.Linear(2, 2), layer)})

    with pytest.raises(UserError, match=r"'video' draws random numbers \(dropout\)"):
        share(given(nn.Dropout(0.1)), World(0, 2))
    with pytest.raises(UserError, match="batch normalisation without weights"):
        share(given(nn.BatchNorm1d(2, momentum=None)), World(0, 2))
    share(given(nn.Dropout(0.0)), World(0, 2))
    share(given(nn.Dropout(0.1)), World())


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    assert world.own_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(world, "current", lambda: World(1, 2))
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(UserError, match="one GPU for all processes; say cuda"):
        world.own_device("cuda:0")
    assert world.own_device("cpu") == torch.device("cpu")
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert world.own_device("auto") == world.own_device("cuda") == torch.device("cuda:1")
    assert chosen == [torch.device("cuda:1")] * 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ProcessError, match=r"'cuda:1' is not there .* lower runtime.processes"):
        world.own_device("cuda")


def test_encoders_in_three_shares_are_those_of_one_process_and_processes_agree():
    done = processes.run(3, "basics")
    assert done.returncode == 0, done.stderr


def start_command(epochs):
    """``equipoise train`` with runtime.processes: 2."""
    from equipoise.stages import search

    train = toy_data.TRAIN.model_copy(update={"epochs": epochs})
    settings = toy_data.train_settings(train=train)
    search.run(toy_data.job("search", "joint"), toy_data.search_settings(settings))
    runtime = {"device": "cpu", "processes": 2, "checkpoint_seconds": 1e-9}
    text = settings.model_dump_json()
    cell = ("--dataset", "toy", "--method", "joint", "--seed", "0", "--threads", "2")
    return subprocess.Popen(
        [sys.executable, "-m", "equipoise.cli", "train", *cell, "--settings", text],
        env={**os.environ, "EQUIPOISE_RUNTIME": json.dumps(runtime)},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_checkpoint(process):
    deadline = time.monotonic() + 1800
    # Not rglob, which is an error where an old checkpoint goes while it looks.
    while not glob.glob(f"{layout.state('train')}/**/checkpoint.json", recursive=True):  # noqa: PTH207
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)


def children(process):
    threads = Path(f"/proc/{process.pid}/task").glob("*/children")
    return sorted(int(pid) for thread in threads for pid in thread.read_text().split())


def alive(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def errors(text):
    return [line for line in text.splitlines() if "error" in line.lower()]


@pytest.mark.slow
def test_a_signal_stops_all_processes_after_the_same_step():
    toy_data.write_project()
    process = start_command(100_000)
    wait_for_checkpoint(process)
    process.send_signal(signal.SIGUSR1)
    _, said = process.communicate()
    assert process.returncode == TRY_AGAIN
    (line,) = [line for line in said.splitlines() if "stopped by" in line]
    assert "stopped by SIGUSR1; saved in" in line and "Traceback" not in said
    saved = Path(line.split("saved in ")[1].split(";")[0])
    position = Checkpoints(saved.parent, 60).load()
    assert saved.name == f"{position.epoch:05d}-{position.step:08d}"


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_when_one_process_is_killed_the_job_ends_and_can_be_continued(victim):
    toy_data.write_project()
    process = start_command(100_000)
    wait_for_checkpoint(process)
    workers = children(process)
    assert len(workers) == 2
    os.kill(workers[victim], signal.SIGKILL)
    process.communicate()
    assert process.returncode == 128 + signal.SIGKILL  # as if it had no helpers: out of memory?
    assert not any(map(alive, workers))

    process = start_command(100_000)
    said = itertools.takewhile(lambda line: "resuming in epoch" not in line, process.stderr)
    assert not errors("".join(said)) and process.poll() is None
    process.send_signal(signal.SIGUSR1)
    process.communicate()
    assert process.returncode == TRY_AGAIN


def test_processes_have_time_to_write_a_checkpoint(monkeypatch):
    configs = []

    def elastic_launch(config, program):
        configs.append(config)
        return lambda *arguments: None

    monkeypatch.setenv("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "1")
    monkeypatch.delenv("TORCH_ELASTIC_SHUTDOWN_TIMEOUT")
    monkeypatch.setattr(api, "elastic_launch", elastic_launch)
    assert launch.launch([], 2) == 0
    (config,) = configs
    # PyTorch 2.11 has no such setting.
    assert getattr(config, "shutdown_timeout", 300) == launch.SECONDS_TO_STOP == 300


@pytest.mark.slow
def test_an_error_of_all_processes_is_one_line():
    toy_data.write_project()
    layout.split("toy")["split"].unlink()
    process = start_command(2)
    _, said = process.communicate()
    assert process.returncode == 2
    (line,) = errors(said)
    assert "run stage split first" in line and "Traceback" not in said
