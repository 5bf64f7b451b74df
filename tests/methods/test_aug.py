"""AUG: its mathematics against definitions worked out here, and its layers through every file."""

import contextlib
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import toy_data
from torch import nn

from equipoise import layout
from equipoise.errors import UserError
from equipoise.methods.aug import method as aug
from equipoise.methods.aug.boosting import (
    boosting_loss,
    confidences,
    residual_weight,
    weaker,
    weaker_by_ratio,
)
from equipoise.methods.base import Batch, create
from equipoise.models import fusion as fusions
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.params import Train
from equipoise.store.features import FeatureStore
from equipoise.training.inference import load_model, predict
from equipoise.training.loop import Trainer


def logits(count=3, samples=5, classes=4):
    generator = torch.Generator().manual_seed(4)
    drawn = torch.randn(count, samples, classes, generator=generator, dtype=torch.float64)
    return [z.requires_grad_() for z in drawn], torch.arange(samples) % classes


def defined_loss(z, labels, shrinkage, joint):
    """Equations 2 to 6 with the residual label written out as a vector over classes."""
    y = torch.eye(z[0].shape[1], dtype=torch.float64)[labels]
    with torch.no_grad():
        taken = sum(z[:-1]).softmax(1) if joint else sum(one.softmax(1) for one in z[:-1])
        residual = (y - shrinkage * y * taken).clamp(min=0)
    fit = -(residual * z[-1].log_softmax(1)).sum(1)
    every = -(y * sum(z).log_softmax(1)).sum(1)
    earlier = -(y * sum(z[:-1]).log_softmax(1)).sum(1)
    return (fit + every + earlier).mean()


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("shrinkage", [0.0, 0.33, 1.0])
def test_loss_and_gradients_are_those_of_the_definition(joint, shrinkage):
    z, labels = logits()
    expected = defined_loss(z, labels, shrinkage, joint)
    gradients = torch.autograd.grad(expected, z)
    got = boosting_loss(z, labels, shrinkage, joint)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(torch.autograd.grad(got, z), gradients)


def test_residual_weights_by_hand():
    # True-class probabilities 3/4 and 1/2; the summed logits log 3 + 0 give 3/4.
    z = [torch.tensor([[math.log(3), 0.0]]), torch.tensor([[0.0, 0.0]])]
    labels = torch.tensor([0])
    assert float(residual_weight(z, labels, 0.5, joint=False)) == pytest.approx(1 - 0.5 * 1.25)
    assert float(residual_weight(z, labels, 0.5, joint=True)) == pytest.approx(1 - 0.5 * 0.75)
    assert float(residual_weight(z, labels, 1.0, joint=False)) == 0.0  # 1 - 1.25, cut off


def test_a_single_classifier_has_plain_cross_entropy():
    z, labels = logits(count=1)
    expected = nn.functional.cross_entropy(z[0], labels)
    torch.testing.assert_close(boosting_loss(z, labels, 0.5, joint=False), expected)


def test_confidence_is_the_probability_of_the_true_class():
    z = {"a": torch.tensor([[math.log(3), 0.0], [0.0, 0.0]]), "b": torch.zeros(2, 2)}
    np.testing.assert_allclose(confidences(z, torch.tensor([0, 1])), [0.75 + 0.5, 1.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(0.8, 0.5, ["b"]), (0.5, 0.8, ["a"]), (0.505, 0.5, []), (0.5, 0.505, []), (0.52, 0.5, ["b"])],
)
def test_the_weaker_of_two_gets_a_classifier_outside_a_symmetric_dead_zone(a, b, expected):
    assert weaker({"a": a, "b": b}, 1.0, 0.01) == expected
    assert weaker({"b": b, "a": a}, 1.0, 0.01) == expected


def test_sigma_and_three_modalities_by_hand():
    assert weaker({"a": 0.6, "b": 0.5}, 1.25, 0.01) == []  # 0.6 - 0.625
    assert weaker({"a": 0.7, "b": 0.5}, 1.25, 0.01) == ["b"]  # 0.7 - 0.625
    assert weaker({"a": 0.9, "b": 0.5, "c": 0.895}, 1.0, 0.01) == ["b"]
    assert weaker({"a": 0.9, "b": 0.5, "c": 0.4}, 1.0, 0.01) == ["b", "c"]


def test_the_ratio_of_the_released_code_by_hand():
    assert weaker_by_ratio({"a": 1.02, "b": 1.0}, 1.0, 0.01) == ["b"]
    assert weaker_by_ratio({"a": 0.98, "b": 1.0}, 1.0, 0.01) == ["a"]
    assert weaker_by_ratio({"a": 1.005, "b": 1.0}, 1.0, 0.01) == []
    assert weaker_by_ratio({"a": 1.0, "b": 0.0}, 1.0, 0.01) == ["b"]
    # 0.5 / 1.5 < 0.4, 0.7 / 1.3 and 0.8 / 1.2 are not.
    assert weaker_by_ratio({"a": 0.7, "b": 0.5, "c": 0.8}, 1.0, 0.01) == ["b"]


def small(key="aug", options=None, modalities=("audio", "video")):
    torch.manual_seed(0)
    encoders = {m: nn.Linear(5, 4) for m in modalities}
    late = fusions.build("late", list(modalities), 4, 3)
    net = MultimodalClassifier(encoders, late, 4, 3)
    method = create(key, {"width": 6, **(options or {})})
    method.attach(net, {"classifiers": dict.fromkeys(modalities, 2)})
    return net, method


def test_all_classifiers_share_one_head_and_predictions_merge_by_weight():
    net, method = small(options={"weights": {"audio": 2, "video": 6}})
    u = {m: torch.randn(7, 4) for m in net.modalities}
    got = method.predict(Output(u, {}, torch.zeros(7, 3)))
    head = net.extras["head"]
    by_hand = {
        m: sum(
            (u[m] @ layer.weight.T + layer.bias).clamp(min=0) @ head.weight.T + head.bias
            for layer in net.extras["layers"][m]
        )
        for m in u
    }
    torch.testing.assert_close(got.modality_logits, by_hand)
    torch.testing.assert_close(got.logits, 0.25 * by_hand["audio"] + 0.75 * by_hand["video"])


def test_the_weights_of_the_modalities_that_are_there_are_made_to_sum_to_one():
    net, method = small(options={"weights": {"audio": 0, "video": 6}})
    u = {m: torch.randn(7, 4) for m in net.modalities}
    for m, share in [("audio", 0.0), ("video", 1.0)]:
        got = method.predict(Output({m: u[m]}, {}, torch.zeros(7, 3)))
        torch.testing.assert_close(got.logits, share * got.modality_logits[m])


def test_defaults_are_those_of_the_variant():
    for key, shrinkage, most, weights in (
        ("aug", 0.33, 10, {"audio": 1, "video": 1}),
        ("aug-released_code", 0.5, math.inf, {"audio": 0.4, "video": 0.6}),
    ):
        _, method = small(key)
        assert (method._shrinkage, method._most, method._weights) == (shrinkage, most, weights)
    given = {"shrinkage": 0.0, "max_classifiers": 3}
    assert small("aug-released_code", given)[1]._shrinkage == 0.0
    three = ("audio", "image", "video")
    _, method = small("aug-released_code", modalities=three)
    u = {m: torch.randn(7, 4) for m in three}
    got = method.predict(Output(u, {}, torch.zeros(7, 3)))
    torch.testing.assert_close(got.logits, sum(got.modality_logits.values()) / 3)


def test_an_always_weaker_modality_of_the_released_code_has_eleven_classifiers_in_200_epochs():
    """Added before epochs 2, 21, 41, ..., 181; the code adds a twelfth after its last epoch."""
    for key, most in (("aug-released_code", 11), ("aug", 10)):
        net, method = small(key)
        method.attach(net, {})
        method.run = SimpleNamespace(
            first_epoch=1,
            last_epoch=200,
            device=torch.device("cpu"),
            data=SimpleNamespace(splits={"train": np.arange(10)}),
            add_parameters=lambda p: None,
        )
        method.setup(method.run)
        method._measure = lambda: None
        for epoch in range(1, 201):
            method._sums = torch.tensor([9.0, 1.0], dtype=torch.float64)
            method.on_epoch_start(epoch)
        assert method.structure() == {"classifiers": {"audio": 1, "video": most}}


@pytest.mark.parametrize("weights", [{"audio": 1}, {"audio": 0, "video": 0}, {"audo": 1}])
def test_weights_that_do_not_fit_the_modalities_are_refused(weights):
    with pytest.raises(UserError, match="aug: weights must name audio, video"):
        small(options={"weights": weights})


def test_the_released_code_steps_on_one_modality_after_the_other():
    """Two plain gradient steps by hand; the second one starts from the head of the first."""
    net, method = small("aug-released_code", {"shrinkage": 0.5})
    other, _ = small("aug-released_code", {"shrinkage": 0.5})
    other.load_state_dict(net.state_dict())
    x = {m: torch.randn(6, 5) for m in net.modalities}
    labels = torch.arange(6) % 3
    method.run = SimpleNamespace(
        model=net,
        optimizer=torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1),
        autocast=contextlib.nullcontext,
        device=torch.device("cpu"),
    )
    method._clear()
    method.train_step(Batch(x, labels, torch.arange(6)))
    encoded = {m: other.encoders[m](x[m]).detach().clone() for m in net.modalities}
    confident = []
    for m in net.modalities:
        u = other.encoders[m](x[m])
        head = other.extras["head"]
        z = [head(torch.relu(layer(u))) for layer in other.extras["layers"][m]]
        torch.testing.assert_close(u, encoded[m])  # no other step moves this encoder
        true = sum(z).detach().softmax(1)[torch.arange(6), labels]
        confident.append(float(true.sum()))
        parameters = [p for p in other.parameters() if p.requires_grad]
        loss = boosting_loss(z, labels, 0.5, joint=True)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter -= 0.1 * gradient
    torch.testing.assert_close(net.state_dict(), other.state_dict())
    # The second modality's confidence is that of the head after the first one's step.
    assert method._sums.tolist() == pytest.approx(confident, rel=1e-5)
    frozen = [n for n, p in net.named_parameters() if not p.requires_grad]
    assert frozen == [
        f"extras.layers.{m}.1.{p}" for m in net.modalities for p in ("weight", "bias")
    ]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A toy project in which audio gets a classifier before epochs 2, 3 and 4, video before 3.

    Gives the scores that each decision was asked for, as (epochs done, scores).
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    wanted = {1: ["audio"], 2: ["audio", "video"], 3: ["audio"]}

    def scripted(scores, sigma, tolerance):
        assert all(0 < s < 1 for s in scores.values())
        seen.append((current[-1], scores))
        return wanted[current[-1]]

    current, seen = [], []
    start = aug.Aug.on_epoch_start

    def noted(self, epoch):
        current.append(epoch - 1)
        return start(self, epoch)

    monkeypatch.setattr(aug, "weaker", scripted)
    monkeypatch.setattr(aug, "weaker_by_ratio", scripted)
    monkeypatch.setattr(aug.Aug, "on_epoch_start", noted)
    return seen


def contents(paths):
    return {name: path.read_bytes() for name, path in paths.items()}


class Killed(BaseException):
    """Ends a run as a killed process does."""


def best_is_second(monkeypatch):
    """Let the second epoch be the best one; returns what the model said then, epoch by epoch."""
    said = {}

    def evaluate(self, subset):
        rows = self.run.data.splits[subset]
        outputs = [self.method.predict(o).logits for o, _ in self.run.outputs(rows)]
        epoch = len(self.history) + 1
        said[epoch] = torch.cat(outputs).numpy()
        return {f"{subset}_accuracy": float(epoch == 2), f"{subset}_loss": 1.0}

    monkeypatch.setattr(Trainer, "evaluate", torch.no_grad()(evaluate))
    return said


TRAINS = {
    "adamw": toy_data.TRAIN,
    "sgd": Train(epochs=4, batch_size=16, learning_rate=0.01, optimizer="sgd"),
}


@pytest.mark.parametrize("optimizer", TRAINS)
@pytest.mark.parametrize("key", ["aug-paper", "aug-released_code"])
def test_resuming_at_any_step_gives_the_same_bytes(project, monkeypatch, key, optimizer):
    best_is_second(monkeypatch)
    run = {"options": {"width": 8}, "train": TRAINS[optimizer]}
    expected = contents(toy_data.run_train(key, **run))
    scores = dict(project)
    assert list(scores) == [1, 2, 3]
    card = json.loads(expected["model"])
    assert card["epoch"] == 2 and card["structure"] == {"classifiers": {"audio": 2, "video": 1}}
    step = Trainer._step
    # After the last step of an epoch, after the first one of the next with its new layer, and amid.
    for stop_at in (3, 4, 6, 7, 8, 9, 10, 11):
        done = []

        def dies(self, *arguments, done=done, stop_at=stop_at):
            if len(done) == stop_at:
                raise Killed
            done.append(step(self, *arguments))

        for path in layout.train("toy", key, "0").values():
            path.unlink()
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Trainer, "_step", dies)
            toy_data.run_train(key, **run)
        assert contents(toy_data.run_train(key, **run)) == expected, f"killed after {stop_at}"
    assert all(scores[done] == found for done, found in project)


def test_a_loaded_model_has_the_layers_of_its_best_epoch_and_predicts_as_then(project, monkeypatch):
    said = best_is_second(monkeypatch)
    paths = toy_data.run_train("aug", {"width": 8})
    assert len(said) == 4 and not np.allclose(said[2], said[4])
    loaded = load_model(paths["model"].parent)
    layers = loaded.model.extras["layers"]
    assert {m: len(layers[m]) for m in layers} == {"audio": 2, "video": 1}
    with FeatureStore(layout.features("toy")["features"]) as store:
        got = predict(loaded, store, toy_data.splits()["val"], "cpu")
    np.testing.assert_allclose(got.logits, said[2], rtol=1e-4, atol=1e-6)
    history = paths["history"].read_text().splitlines()
    column = history[0].split(",").index("method_classifiers_audio")
    assert [line.split(",")[column] for line in history[1:]] == ["1.0", "2.0", "3.0", "4.0"]


@pytest.mark.parametrize(("key", "trained"), [("aug-paper", True), ("aug-released_code", False)])
def test_added_layers_are_trained_or_stay_as_drawn(project, monkeypatch, key, trained):
    from safetensors.torch import load_file

    drawn, append = {}, aug.Aug._append

    def noted(self, modality):
        layer = append(self, modality)
        name = f"extras.layers.{modality}.{len(self._layers(modality)) - 1}.weight"
        drawn[name] = layer.weight.detach().clone()
        return layer

    monkeypatch.setattr(aug.Aug, "_append", noted)
    last = toy_data.TRAIN.model_copy(update={"selection": "last"})
    weights = load_file(toy_data.run_train(key, {"width": 8}, train=last)["weights"])
    assert len(drawn) == 6
    for name, value in drawn.items():
        moved = not torch.equal(weights[name], value)
        assert moved == (trained or name.endswith(".0.weight")), name


def test_the_cap_holds(project):
    toy_data.run_train("aug", {"width": 8, "max_classifiers": 2})
    last = layout.train("toy", "aug", "0")["history"].read_text().splitlines()[-1]
    assert last.endswith("2.0,2.0")


def test_confidence_of_the_paper_is_that_of_the_training_split_in_evaluation_mode(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project(("audio", "image", "video"))
    seen = []

    def noted(scores, sigma, tolerance):
        seen.append(scores)
        return weaker(scores, sigma, tolerance)

    monkeypatch.setattr(aug, "weaker", noted)
    one = Train(epochs=1, batch_size=16, schedule="constant", selection="last")
    paths = toy_data.run_train("aug", {"width": 8}, train=one)
    assert not seen
    with FeatureStore(layout.features("toy")["features"]) as store:
        rows = toy_data.splits()["train"]
        got = predict(load_model(paths["model"].parent), store, rows, "cpu")
        labels = store.labels[rows]
    expected = {}
    for m, z in got.modality_logits.items():
        e = np.exp(z - z.max(1, keepdims=True))
        expected[m] = (e / e.sum(1, keepdims=True))[np.arange(len(rows)), labels].mean()
    toy_data.run_train("aug", {"width": 8}, train=one.model_copy(update={"epochs": 2}))
    assert seen == [pytest.approx(expected, rel=1e-5)]
