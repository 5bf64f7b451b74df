"""What holds for every method, run on every row of the table."""

import json
import math
import random
import traceback
from importlib import import_module
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import toy_data
from scipy.special import log_softmax
from settings import ROWS
from stops import count_steps, send_at
from torch.utils._python_dispatch import TorchDispatchMode
from toy_data import contents, history

from equipoise import layout, registry
from equipoise.errors import Stopped, UserError
from equipoise.params import Train
from equipoise.store.features import FeatureStore
from equipoise.training import job
from equipoise.training.inference import load_model, predict
from equipoise.training.loop import Trainer

every = pytest.mark.parametrize("row", ROWS, ids=[row.key for row in ROWS])
MODALITIES = [("video",), ("audio", "video"), ("audio", "image", "video")]
LONG = Train(epochs=10, batch_size=16, learning_rate=5e-3)
#: Operations whose result the program needs to go on.
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2")
#: Function that may look at a number, and why it is none of a device.
LOOKS = {
    "label_frequencies": "on a CPU torch's one_hot checks the labels; on a GPU it does not",
    "_applied": "a die, cast on the CPU",
    "prioritise": "the factors of a ranking, kept on the CPU",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def prepare(row, modalities=("audio", "video"), **settings):
    toy_data.write_project(modalities)
    if row.warm and len(modalities) > 1:
        toy_data.run_warmup(**settings)
    if toy_data.is_taught(row.key):
        toy_data.run_train(toy_data.TEACHER, **settings)


def test_the_table_has_every_method_and_variant():
    listed = {registry.method_of(row.key)[:2] for row in ROWS}
    known = {(name, v) for name, info in registry.methods().items() for v in info.variants}
    assert listed == known


@every
def test_the_registry_entry_is_complete(row):
    name, _, _ = registry.method_of(row.key)
    info = registry.methods()[name]
    registry.check_method(row.key, row.options, row.start)
    assert info.summary and info.paper
    folder = Path(import_module(f"equipoise.methods.{name}").__path__[0])
    text = (folder / "README.md").read_text(encoding="utf-8")
    for option in info.options.model_fields:
        assert f"`{option}`" in text, f"README of {name} does not speak of {option}"


@every
@pytest.mark.parametrize("modalities", MODALITIES, ids=["1", "2", "3"])
def test_trains_with_any_number_of_modalities_or_refuses_before_training(row, modalities):
    prepare(row, modalities)
    fewest = registry.methods()[registry.method_of(row.key)[0]].modalities[0]
    if len(modalities) < fewest:
        with pytest.raises(UserError, match=f"works with {fewest} or more modalities"):
            toy_data.run_train(row.key, row.options, row.warm)
        assert not layout.state("train").exists()
        return
    rows = history(toy_data.run_train(row.key, row.options, row.warm))
    assert [int(r["epoch"]) for r in rows] == ([3, 4] if row.warm else [1, 2, 3, 4])
    for r in rows:
        numbers = [float(v) for k, v in r.items() if k not in ("phase", "epoch")]
        assert all(math.isfinite(n) for n in numbers)
    assert {f"val_accuracy_{m}" for m in modalities} <= rows[0].keys()


@every
def test_learns_a_learnable_problem(row):
    # The learned weight of LFM begins at 0.95 for the matching: the classes come later.
    train = LONG.model_copy(update={"epochs": 20}) if row.key == "lfm-learned" else LONG
    prepare(row, train=train)
    rows = history(toy_data.run_train(row.key, row.options, row.warm, train=train))
    assert float(rows[-1]["val_loss"]) < float(rows[0]["val_loss"])
    assert max(float(r["val_accuracy"]) for r in rows) > 0.9


class Killed(BaseException):
    """Ends a run as a killed process does: nothing of ours runs after it."""


@every
def test_resuming_after_a_random_step_equals_never_having_stopped(row, monkeypatch):
    prepare(row)
    expected = contents(toy_data.run_train(row.key, row.options, row.warm))
    steps = 2 * 3 if row.warm else 4 * 3  # 36 samples in batches of 16: 3 steps an epoch
    if row.key == "gmm-purified":
        steps = 3 + 1
    stop_at = random.Random(row.key).randint(2, steps)
    step, done = Trainer._step, []

    def dies(self, *arguments):
        if len(done) == stop_at - 1:
            raise Killed
        done.append(step(self, *arguments))

    for path in layout.train("toy", row.key, "0").values():
        path.unlink()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_step", dies)
        toy_data.run_train(row.key, row.options, row.warm)
    assert not layout.train("toy", row.key, "0")["model"].exists()
    taken = []
    monkeypatch.setattr(Trainer, "_step", lambda self, *a: taken.append(step(self, *a)))
    resumed = contents(toy_data.run_train(row.key, row.options, row.warm))
    assert 0 < len(taken) < steps, "the second run did not resume"
    assert resumed == expected
    assert not list(layout.state("train").rglob("*.safetensors"))


@every
def test_a_signal_between_the_steps_changes_nothing(row, monkeypatch):
    prepare(row)
    rare = {"checkpoint_seconds": 1e6}
    expected = contents(toy_data.run_train(row.key, row.options, row.warm, runtime=rare))
    taken = count_steps(monkeypatch)
    for place in ("epoch_start", "epoch_end"):  # both have changed the method's state by then
        with monkeypatch.context() as patch, pytest.raises(Stopped):
            send_at(patch, place, 2)
            toy_data.run_train(row.key, row.options, row.warm, runtime=rare)
    assert contents(toy_data.run_train(row.key, row.options, row.warm, runtime=rare)) == expected
    assert len(set(taken)) == len(taken)


def expect_finite_losses(row, **changes):
    train = Train(epochs=3, batch_size=16, learning_rate=5e-3, **changes)
    prepare(row, train=train)
    rows = history(toy_data.run_train(row.key, row.options, row.warm, train=train))
    assert all(math.isfinite(float(r["train_loss"])) for r in rows)


@every
def test_works_in_bfloat16(row):
    expect_finite_losses(row, precision="bf16")


@every
def test_works_with_momentum(row):
    """Parameters that get their first gradient late have no momentum yet."""
    expect_finite_losses(row, optimizer="sgd")


@every
def test_the_saved_model_predicts_what_the_history_says(row):
    prepare(row)
    paths = toy_data.run_train(row.key, row.options, row.warm)
    loaded = load_model(paths["model"].parent)
    val = toy_data.splits()["val"]
    with FeatureStore(layout.features("toy")["features"]) as store:
        predictions = predict(loaded, store, val, "cpu", batch_size=5)
        labels = store.labels[val]
    chosen = next(r for r in history(paths) if int(r["epoch"]) == loaded.card.epoch)
    assert np.mean(predictions.logits.argmax(1) == labels) == pytest.approx(
        float(chosen["val_accuracy"])
    )
    for m, logits in predictions.modality_logits.items():
        expected = float(chosen[f"val_accuracy_{m}"])
        assert np.mean(logits.argmax(1) == labels) == pytest.approx(expected)
    assert json.loads(paths["model"].read_text())["method"] == row.key


@pytest.mark.parametrize("present", [(), ("audio", "vidoe")])
def test_modalities_that_the_model_does_not_know_are_refused(present):
    toy_data.write_project()
    loaded = load_model(toy_data.run_train("joint-concat")["model"].parent)
    store = toy_data.MemoryStore()
    with pytest.raises(UserError, match="the model knows audio, video"):
        predict(loaded, store, np.arange(3), "cpu", present=present)
    only = toy_data.MemoryStore(["video"])
    assert predict(loaded, only, np.arange(3), "cpu", present=["video"]).logits.shape == (3, 3)
    with pytest.raises(UserError, match="needs modality 'audio'; the features hold video"):
        predict(loaded, only, np.arange(3), "cpu")


@every
def test_predicts_without_any_modalities_but_one(row, monkeypatch):
    names = ("audio", "image", "video")
    prepare(row, names)
    paths = toy_data.run_train(row.key, row.options, row.warm)
    loaded = load_model(paths["model"].parent)
    ran = []
    for m, encoder in loaded.model.encoders.items():
        encoder.register_forward_hook(lambda *_, m=m: ran.append(m))
    rows = toy_data.splits()["test"]
    with FeatureStore(layout.features("toy")["features"]) as store:
        whole = predict(loaded, store, rows, "cpu")
        again = predict(loaded, store, rows, "cpu", present=names[::-1])
        assert (again.logits == whole.logits).all()
        for present in [*combinations(names, 1), *combinations(names, 2)]:
            ran.clear()
            found = predict(loaded, store, rows, "cpu", present=present)
            assert tuple(ran) == present, "an encoder ran for an absent modality"
            assert np.isfinite(found.logits).all()
            assert tuple(found.modality_logits) == tuple(found.features) == present
            for m in present:
                assert (found.modality_logits[m] == whole.modality_logits[m]).all()
            guess = not found.logits.any()  # reconboost: no member of its ensemble is there
            if loaded.card.fusion == "late" and len(present) == 1 and not guess:
                alone = log_softmax(found.modality_logits[present[0]], axis=1)
                np.testing.assert_allclose(log_softmax(found.logits, axis=1), alone, atol=1e-5)


class Looks(TorchDispatchMode):
    """Notes the function of ours in which a number is looked at."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.name().removeprefix("aten::").split(".")[0] in WAITS:
            ours = [f for f in traceback.extract_stack() if "/equipoise/" in f.filename]
            self.found.add(ours[-1].name)
        return func(*args, **(kwargs or {}))


@every
def test_a_step_waits_for_no_device(row, monkeypatch):
    """It asks for no number: on a GPU the program would wait for it, in every step."""
    # AdamW counts its steps in tensors of the CPU, and looks at them.
    train = Train(epochs=4, batch_size=36, learning_rate=5e-3, optimizer="sgd")
    prepare(row, train=train)
    create, looks = job.create, Looks()

    def watched(*arguments):
        method = create(*arguments)
        step = method.train_step

        def train_step(batch):
            with looks:
                return step(batch)

        method.train_step = train_step
        return method

    monkeypatch.setattr(job, "create", watched)
    toy_data.run_train(row.key, row.options, row.warm, train=train)
    assert looks.found <= LOOKS.keys()
