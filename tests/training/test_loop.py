"""The loop: selection, learning rate, divergence, a killed process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_data
from toy_data import contents, history

from equipoise import layout, tracking
from equipoise.errors import UserError
from equipoise.methods.base import Plan
from equipoise.methods.joint.method import Joint
from equipoise.params import Train
from equipoise.training.loop import Best, Trainer
from equipoise.training.schedule import learning_rate

TESTS = Path(toy_data.__file__).parent


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def test_schedules_by_hand():
    cosine = Train(epochs=4, learning_rate=0.1, schedule="cosine")
    rates = [learning_rate(cosine, epoch) for epoch in (1, 2, 3, 4)]
    assert rates == pytest.approx([0.1, 0.0853553, 0.05, 0.0146447], rel=1e-5)
    step = Train(epochs=6, learning_rate=0.1, schedule="step", step_epochs=2, step_factor=0.1)
    rates = [learning_rate(step, epoch) for epoch in range(1, 7)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert learning_rate(Train(learning_rate=0.1, schedule="constant"), 99) == 0.1


def test_accuracy_decides_then_loss_then_the_first():
    best = Best(3, 0.8, 0.5, {}, {})
    assert best.beaten_by(0.81, 9.0)
    assert best.beaten_by(0.8, 0.49)
    assert not best.beaten_by(0.8, 0.5)
    assert not best.beaten_by(0.79, 0.1)
    assert not best.beaten_by(0.8, float("nan"))


def test_the_kept_epoch_is_the_best_on_validation(monkeypatch):
    toy_data.write_project()
    wanted = {1: (0.5, 1.0), 2: (0.7, 0.9), 3: (0.7, 0.8), 4: (0.6, 0.1)}
    weights = {}

    def scripted(self, subset):
        assert subset == "val"
        epoch = len(weights) + 1
        weights[epoch] = self.run.model.heads["audio"].weight.clone()
        accuracy, loss = wanted[epoch]
        return {"val_accuracy": accuracy, "val_loss": loss}

    monkeypatch.setattr(Trainer, "evaluate", scripted)
    paths = toy_data.run_train("joint")
    from safetensors.torch import load_file

    assert json.loads(paths["model"].read_text())["epoch"] == 3
    assert torch.equal(load_file(paths["weights"])["heads.audio.weight"], weights[3])


@pytest.mark.parametrize(("selection", "epoch"), [("last", 4), ("oracle_test", 2)])
def test_other_selections_only_when_asked_for(monkeypatch, selection, epoch):
    toy_data.write_project()
    asked = []

    def scripted(self, subset):
        asked.append(subset)
        best = asked.count("test") == 2 if subset == "test" else len(asked) == 1
        return {f"{subset}_accuracy": float(best), f"{subset}_loss": 1.0}

    monkeypatch.setattr(Trainer, "evaluate", scripted)
    train = toy_data.TRAIN.model_copy(update={"selection": selection})
    paths = toy_data.run_train("joint", train=train)
    assert json.loads(paths["model"].read_text())["epoch"] == epoch
    assert ("test" in asked) == (selection == "oracle_test")


def test_the_same_job_writes_the_same_bytes_from_memory_and_from_the_file():
    toy_data.write_project()
    first = contents(toy_data.run_train("joint"))
    assert contents(toy_data.run_train("joint")) == first
    assert contents(toy_data.run_train("joint", runtime={"resident_gib": 0.0})) == first
    other = contents(toy_data.run_train("joint", seed=1))
    assert other["weights"] != first["weights"]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_both_optimisers_train(optimizer):
    toy_data.write_project()
    train = Train(epochs=6, batch_size=16, learning_rate=0.01, optimizer=optimizer)
    rows = history(toy_data.run_train("joint", train=train))
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])


def test_continuing_goes_on_where_the_warmup_ended():
    toy_data.write_project()
    toy_data.run_warmup()
    warm = history(layout.warmup("toy", "0"))
    rows = history(toy_data.run_train("joint-concat-control", warm=True))
    assert [(r["epoch"], r["phase"]) for r in warm + rows] == [
        ("1", "warmup"),
        ("2", "warmup"),
        ("3", "train"),
        ("4", "train"),
    ]
    rates = [float(r["learning_rate"]) for r in warm + rows]
    assert rates == [learning_rate(toy_data.TRAIN, epoch) for epoch in (1, 2, 3, 4)]
    card = json.loads(layout.warmup("toy", "0")["model"].read_text())
    assert card["epoch"] == 2 and card["selection"] == "last" and card["method"] == "joint-concat"


def test_a_method_with_another_fusion_cannot_continue_the_warmup():
    toy_data.write_project()
    toy_data.run_warmup()
    with pytest.raises(UserError, match="holds no fitting 'fusion"):
        toy_data.run_train("joint-gated-control", warm=True)


def test_a_warmup_on_other_modalities_is_refused():
    toy_data.write_project()
    toy_data.run_warmup()
    toy_data.write_project(("audio", "image", "video"))
    with pytest.raises(UserError, match=r"trained on audio, video .* run stage warmup again"):
        toy_data.run_train("joint-concat-control", warm=True)


def test_a_modality_without_encoder_is_named(monkeypatch):
    toy_data.write_project()
    monkeypatch.delitem(toy_data.ENCODERS, "audio")
    with pytest.raises(UserError, match="no encoder is named for modality 'audio'"):
        toy_data.run_train("joint")


def test_a_loss_that_is_not_finite_stops_with_place_samples_and_last_checkpoint(monkeypatch):
    toy_data.write_project()
    plain, calls = Joint.loss, []

    def loss(self, output, batch):
        calls.append(batch.rows.tolist())
        value = plain(self, output, batch)
        return value * float("nan") if len(calls) == 5 else value

    monkeypatch.setattr(Joint, "loss", loss)
    with pytest.raises(UserError) as caught:
        toy_data.run_train("joint")
    text = str(caught.value)
    assert "epoch 2, step 2" in text and "\n" not in text
    for row in calls[-1][:5]:
        assert f"clip{row:03d}" in text
    assert "00002-00000001" in text and list(layout.state("train").rglob("00002-00000001"))
    assert not layout.train("toy", "joint", "0")["weights"].exists()


def test_a_planned_order_is_the_one_that_a_loss_is_traced_back_by(monkeypatch):
    """Groups take turns, rows repeat: the message names the samples of the step, not others."""
    toy_data.write_project()
    plain, calls = Joint.loss, []
    train = toy_data.splits()["train"][:20]
    rows = np.concatenate([train, train[:7]])

    def planned(self, epoch):
        return Plan(rows=rows, groups=np.arange(27) // 9, alternate=True)

    def loss(self, output, batch):
        calls.append(batch.rows.tolist())
        value = plain(self, output, batch)
        return value * float("nan") if len(calls) == 4 else value

    monkeypatch.setattr(Joint, "on_epoch_start", planned)
    monkeypatch.setattr(Joint, "loss", loss)
    with pytest.raises(UserError, match="epoch 1, step 4") as caught:
        toy_data.run_train("joint", train=toy_data.TRAIN.model_copy(update={"batch_size": 4}))
    assert ", ".join(f"clip{row:03d}" for row in calls[-1][:5]) in str(caught.value)


def test_a_damaged_checkpoint_falls_back_and_still_gives_the_same_result(monkeypatch):
    toy_data.write_project()
    expected = contents(toy_data.run_train("joint"))
    step, done = Trainer._step, []

    def dies(self, *arguments):
        if len(done) == 7:
            raise RuntimeError("killed here")
        done.append(step(self, *arguments))

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed here"):
        patch.setattr(Trainer, "_step", dies)
        toy_data.run_train("joint")
    newest = max(layout.state("train").rglob("model.safetensors"))
    content = bytearray(newest.read_bytes())
    content[-1] ^= 4
    newest.write_bytes(content)
    assert contents(toy_data.run_train("joint")) == expected


def test_a_resumed_run_tells_its_listener_the_epochs_from_before(monkeypatch):
    toy_data.write_project()
    step, done, told = Trainer._step, [], []
    monkeypatch.setattr(
        tracking.Run, "metrics", lambda self, values, step=0: told.append((step, dict(values)))
    )

    def dies(self, *arguments):
        if len(done) == 7:  # 3 steps an epoch: in the third
            raise RuntimeError("killed here")
        done.append(step(self, *arguments))

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed here"):
        patch.setattr(Trainer, "_step", dies)
        toy_data.run_train("joint")
    first = told[:]
    told.clear()
    rows = history(toy_data.run_train("joint"))
    assert [epoch for epoch, _ in first] == [1, 2]
    assert [epoch for epoch, _ in told] == [1, 2, 3, 4] and told[:2] == first
    assert [str(values["val_loss"]) for _, values in told] == [row["val_loss"] for row in rows]


def test_other_settings_never_resume(monkeypatch):
    toy_data.write_project()
    step, done = Trainer._step, []

    def dies(self, *arguments):
        if len(done) == 7:
            raise RuntimeError("killed here")
        done.append(step(self, *arguments))

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed here"):
        patch.setattr(Trainer, "_step", dies)
        toy_data.run_train("joint")
    changed = toy_data.TRAIN.model_copy(update={"learning_rate": 1e-4})
    rows = history(toy_data.run_train("joint", train=changed))
    assert float(rows[0]["learning_rate"]) == 1e-4


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import toy_data
toy_data.run_train("joint")
"""


def test_a_process_killed_at_a_step_is_continued_to_the_same_bytes():
    toy_data.write_project()
    expected = contents(toy_data.run_train("joint"))
    for path in layout.train("toy", "joint", "0").values():
        path.unlink()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "EQUIPOISE_FAULT_AT": "step:8"}
    script = [sys.executable, "-c", SCRIPT.format(tests=str(TESTS))]
    assert subprocess.run(script, env=environment).returncode == -signal.SIGKILL
    assert not layout.train("toy", "joint", "0")["weights"].exists()
    assert list(layout.state("train").rglob("00003-00000002"))
    assert contents(toy_data.run_train("joint")) == expected
