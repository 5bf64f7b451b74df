"""``train.precision: auto``: measured once, kept, and the bytes of what it chose."""

import functools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import toy_data
from stops import forget_outputs, send_at
from test_precision import Faulty
from torch import nn

from equipoise import files, layout, vouch
from equipoise.errors import Stopped, UserError
from equipoise.models.encoders.conv_spectrogram import network
from equipoise.params import Train
from equipoise.training import auto_precision, job
from equipoise.training.device import in_format
from equipoise.training.world import World

AUTO = Train(epochs=2, batch_size=16, learning_rate=5e-3, precision="auto")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()


def measured_by(monkeypatch, **seconds):
    """Have measuring take a step of each, and give these times; return what was measured."""
    seen = []

    def measure(steps):
        seen.append(sorted(steps))
        for step in steps.values():
            step()
        return {name: seconds[name] for name in steps}

    settled = functools.partial(auto_precision.settled, measure=measure)
    monkeypatch.setattr(job, "settled", settled)
    return seen


def explicit(precision):
    """Contents of the weights and the history of a run that was told its precision."""
    paths = toy_data.run_train("joint", train=AUTO.model_copy(update={"precision": precision}))
    found = paths["weights"].read_bytes(), paths["history"].read_bytes()
    assert "precision" not in json.loads(paths["model"].read_text())
    forget_outputs(paths)
    return found


@pytest.mark.parametrize("fastest", auto_precision.CANDIDATES)
def test_the_fastest_is_taken_and_gives_its_bytes(fastest, monkeypatch):
    expected = explicit(fastest)
    times = dict.fromkeys(auto_precision.CANDIDATES, 2.0) | {fastest: 1.0}
    seen = measured_by(monkeypatch, **times)
    paths = toy_data.run_train("joint", train=AUTO)
    assert seen == [sorted(auto_precision.CANDIDATES)]
    assert json.loads(paths["model"].read_text())["precision"] == fastest
    assert (paths["weights"].read_bytes(), paths["history"].read_bytes()) == expected


def test_bf16_gives_other_bytes():
    assert len({explicit(name)[0] for name in ("fp32", "bf16")}) == 2


def test_of_equally_fast_ones_float32_is_taken(monkeypatch):
    measured_by(monkeypatch, **dict.fromkeys(auto_precision.CANDIDATES, 1.0))
    paths = toy_data.run_train("joint", train=AUTO)
    assert json.loads(paths["model"].read_text())["precision"] == "fp32"


def test_what_continues_a_training_reads_the_choice(monkeypatch):
    expected = explicit("bf16")
    seen = measured_by(monkeypatch, fp32=2.0, bf16=1.0, bf16_channels_last=3.0)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        send_at(patch, "step", 3)
        toy_data.run_train("joint", train=AUTO)
    (note,) = layout.state("train").rglob(auto_precision.NAME)
    noted = json.loads(note.read_text())
    assert noted["precision"] == "bf16" and noted["refused"] == {}
    assert noted["milliseconds_of_a_step"] == {
        "fp32": 2000,
        "bf16": 1000,
        "bf16_channels_last": 3000,
    }
    # On a machine where another would be the fastest.
    seen += measured_by(monkeypatch, fp32=1.0, bf16=2.0, bf16_channels_last=3.0)
    paths = toy_data.run_train("joint", train=AUTO)
    assert len(seen) == 1
    assert (paths["weights"].read_bytes(), paths["history"].read_bytes()) == expected


def test_a_retry_that_finds_no_checkpoint_reads_the_choice(monkeypatch):
    measured_by(monkeypatch, fp32=2.0, bf16=1.0, bf16_channels_last=3.0)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(job, "expect_right", fail)
        toy_data.run_train("joint", train=AUTO)
    measured_by(monkeypatch, fp32=1.0, bf16=2.0, bf16_channels_last=3.0)
    paths = toy_data.run_train("joint", train=AUTO)
    assert json.loads(paths["model"].read_text())["precision"] == "bf16"


def fail(*_):
    raise RuntimeError


def test_what_gives_wrong_numbers_is_never_taken(monkeypatch):
    monkeypatch.setattr(network, "Conv2d", nn.Conv2d)
    seen = measured_by(monkeypatch, fp32=2.0, bf16=1.0, bf16_channels_last=1.0)
    with Faulty() as faulty:
        paths = toy_data.run_train("joint", train=AUTO)
    assert faulty.hits == 2  # each of the two was looked at, and no step taken
    assert seen == [["fp32"]]
    assert json.loads(paths["model"].read_text())["precision"] == "fp32"


def test_a_choice_made_where_bf16_is_right_is_refused_where_it_is_wrong(monkeypatch):
    monkeypatch.setattr(network, "Conv2d", nn.Conv2d)
    measured_by(monkeypatch, fp32=2.0, bf16=1.0, bf16_channels_last=2.0)
    right = Faulty(lambda x: x)
    with right, monkeypatch.context() as patch, pytest.raises(Stopped):
        send_at(patch, "step", 3)
        toy_data.run_train("joint", train=AUTO)
    with Faulty(), pytest.raises(UserError, match="bf16 gives wrong numbers on this CPU"):
        toy_data.run_train("joint", train=AUTO)


@pytest.mark.parametrize("text", ["{}", "[]", '{"precision": "auto"}', "no JSON"])
def test_a_damaged_note_is_one_line(text, tmp_path):
    files.write_text(tmp_path / auto_precision.NAME, text)
    with pytest.raises(UserError, match=rf"^{tmp_path}/precision.json: [^\n]*delete"):
        auto_precision.settled(None, None, AUTO, (0, 1), tmp_path)


def test_processes_of_one_job_do_not_wait_for_each_other_s_lock(tmp_path):
    barrier = threading.Barrier(2, timeout=20)

    class Two(World):
        def in_turn(self, action):
            if not self.first:
                barrier.wait()
                return action()
            done = action()
            barrier.wait()
            return done

    def settled(rank):
        return auto_precision.settled(None, None, AUTO, (0, 1), tmp_path, Two(rank, 2))

    vouch.write(tmp_path / auto_precision.NAME, {"precision": "bf16"})
    with ThreadPoolExecutor(2) as pool:
        assert {told.precision for told in pool.map(settled, range(2))} == {"bf16"}


def test_steps_take_turns_and_the_first_does_not_count(monkeypatch):
    clock, order = [0.0], []
    lasts = {"a": [9, 3, 2, 4], "b": [1, 5, 5, 5]}

    def step(name):
        order.append(name)
        clock[0] += lasts[name].pop(0)

    monkeypatch.setattr(auto_precision.time, "perf_counter", lambda: clock[0])
    steps = {name: functools.partial(step, name) for name in lasts}
    assert auto_precision.measured(steps) == {"a": 2, "b": 5}
    assert order == ["a", "b"] * auto_precision.ROUNDS


def test_channels_last_is_a_layout_and_no_other_number():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2))
    before = [p.clone() for p in model.parameters()]
    weight = in_format(model, "bf16_channels_last")[0].weight
    assert weight.stride() == (27, 1, 9, 3)  # (4, 3, 3, 3): the 3 channels lie side by side
    assert all(map(torch.equal, model.parameters(), before))
    assert in_format(nn.Conv2d(3, 4, 3), "bf16").weight.stride() == (27, 9, 3, 1)
