"""ReconBoost: its losses against sums written out, its gradient against the closed form."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equipoise.methods.base import Batch
from equipoise.methods.reconboost import Options
from equipoise.methods.reconboost.method import (
    Reconboost,
    agreement_loss,
    boosting_loss,
    ensemble,
    stage_of,
)
from equipoise.modalities.base import Input
from equipoise.models.build import build_model
from equipoise.models.multimodal import Output
from equipoise.params import Encoder

LOGITS = [[1.0, -0.5, 0.2], [0.3, 0.1, -2.0]]
OTHERS = [[0.4, 2.0, -1.0], [0.0, 0.5, 0.5]]
LABELS = [1, 2]


def t(values):
    return torch.tensor(values, dtype=torch.float64)


def softmax(row):
    powers = [math.exp(v) for v in row]
    return [p / sum(powers) for p in powers]


def test_the_boosting_loss_is_the_sum_of_its_definition():
    """-w1 sum_c y log p + w2 sum_c y p_ens log p, written out over classes."""
    total = 0.0
    for row, other, label in zip(LOGITS, OTHERS, LABELS, strict=True):
        p, known = softmax(row), softmax(other)
        for c in range(3):
            y = float(c == label)
            total += -5.0 * y * math.log(p[c]) + 1.5 * y * known[c] * math.log(p[c])
    got = boosting_loss(t(LOGITS), t(OTHERS), torch.tensor(LABELS), 5.0, 1.5)
    assert float(got) == pytest.approx(total / (2 * 3), rel=1e-12)  # the mean over classes, too


def test_its_gradient_is_the_residual_weighted_by_what_the_others_do_not_know():
    logits, others = t(LOGITS).requires_grad_(), t(OTHERS).requires_grad_()
    boosting_loss(logits, others, torch.tensor(LABELS), 5.0, 1.5).backward()
    assert others.grad is None
    for i, (row, other, label) in enumerate(zip(LOGITS, OTHERS, LABELS, strict=True)):
        p, known = softmax(row), softmax(other)[label]
        residual = [float(c == label) - p[c] for c in range(3)]
        expected = [-(5.0 - 1.5 * known) * r / (2 * 3) for r in residual]
        np.testing.assert_allclose(logits.grad[i].numpy(), expected, rtol=1e-12)


def test_samples_that_the_ensemble_knows_weigh_less():
    logits, labels = t([[0.0, 0.0], [0.0, 0.0]]).requires_grad_(), torch.tensor([0, 0])
    boosting_loss(logits, t([[4.0, -4.0], [-4.0, 4.0]]), labels, 5.0, 1.0).backward()
    assert logits.grad[0].abs().sum() < logits.grad[1].abs().sum()
    plain = torch.nn.functional.cross_entropy(logits, labels)
    half = plain.item() / 2
    assert boosting_loss(logits, logits, labels, 1.0, 0.0).item() == pytest.approx(half)


def test_agreement_is_the_mean_squared_difference_of_probabilities():
    expected = np.mean(
        [
            (a - b) ** 2
            for x, z in zip(LOGITS, OTHERS, strict=True)
            for a, b in zip(softmax(x), softmax(z), strict=True)
        ]
    )
    first, second = t(LOGITS).requires_grad_(), t(OTHERS).requires_grad_()
    loss = agreement_loss(first, second)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    loss.backward()
    assert second.grad is None and first.grad.abs().sum() > 0
    assert float(agreement_loss(t(LOGITS), t(LOGITS) + 7.0)) == pytest.approx(0.0)


def test_turns_of_three_modalities_by_hand():
    stages = [stage_of(e, ["a", "b", "c"], 2, 1) for e in range(12)]
    assert "".join(s.modality for s in stages) == "aaabbbcccaaa"
    assert [s.joint for s in stages] == [False, False, True] * 4
    assert [s.previous for s in stages[::3]] == [None, "a", "b", "c"]
    assert ["".join(s.members) for s in stages[::3]] == ["a", "ab", "abc", "abc"]
    assert not any(stage_of(e, ["a", "b"], 2, 0).joint for e in range(8))


def test_the_ensemble_is_a_sum_in_any_order_and_a_uniform_guess_at_first():
    logits = {"a": t(LOGITS), "b": t(OTHERS), "c": t(LOGITS) * 3}
    np.testing.assert_allclose(ensemble(logits, ["a", "b"]), np.array(LOGITS) + OTHERS)
    np.testing.assert_allclose(ensemble(logits, ["c", "a", "b"]), ensemble(logits, ["a", "b", "c"]))
    assert torch.equal(ensemble(logits, []), torch.zeros(2, 3, dtype=torch.float64))


SHAPES = {"audio": Input("spectrogram", (9, 8)), "video": Input("pictures", (2, 3, 12, 12))}


def test_an_ensemble_of_nobody_knows_everything_in_the_released_code():
    """-(w1 - w2) log p / C: the softmax over one column is 1."""
    expected = sum(
        -(5.0 - 1.5) * math.log(softmax(row)[label]) / 3
        for row, label in zip(LOGITS, LABELS, strict=True)
    )
    got = boosting_loss(t(LOGITS), None, torch.tensor(LABELS), 5.0, 1.5)
    assert float(got) == pytest.approx(expected / 2, rel=1e-12)


def test_the_released_loss_of_a_first_and_a_later_stage_written_down():
    """Numbers of numpy, from logits that the shared head passes on and a learnt factor of 2."""
    method = Reconboost("released_code", Options(boost_epochs=1, joint_epochs=1))
    heads = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 3)})
    model = SimpleNamespace(modalities=["a", "b"], heads=heads, width=3)
    model.extras = torch.nn.ModuleDict()
    method.attach(model, {})
    assert [p.shape for p in model.extras["head"].parameters()] == [
        (256, 3), (256,), (3, 256), (3,)
    ]  # fmt: skip
    model.extras["head"] = torch.nn.Identity()
    model.extras["rate"] = torch.nn.ParameterList([torch.tensor(2.0, dtype=torch.float64)])
    added = []
    method.setup(SimpleNamespace(first_epoch=1, add_parameters=lambda p: added.extend(p)))
    assert len(added) == 1
    output = Output({"a": t(LOGITS), "b": t(OTHERS)}, {}, t(LOGITS))
    batch = Batch({}, torch.tensor(LABELS), torch.arange(2))

    def log_p(z):
        z = np.array(z)
        return (z - np.log(np.exp(z).sum(1, keepdims=True)))[[0, 1], LABELS]

    a, b = np.array(LOGITS), np.array(OTHERS)
    p_a, p_b = (np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in (a, b))
    known = np.exp(log_p(2 * a))
    expected = [
        -(4 * log_p(a)).mean() / 3,
        -log_p(2 * a).mean(),
        -((5 - known) * log_p(b)).mean() / 3 + 0.5 * ((p_b - p_a) ** 2).mean(),
        -log_p(2 * (a + b)).mean(),
    ]
    found = []
    for epoch in (1, 2, 3, 4):
        method.on_epoch_start(epoch)
        found.append(float(method.loss(output, batch).detach()))
    assert found == pytest.approx(expected, rel=1e-10)
    assert found == pytest.approx([3.310729, 4.171752, 1.056381, 2.625387], abs=1e-6)


def plugin(variant, **options):
    torch.manual_seed(0)
    names = {"audio": Encoder(name="conv_spectrogram"), "video": Encoder(name="conv_frames")}
    method = Reconboost(variant, Options(boost_epochs=1, joint_epochs=1, **options))
    model = build_model(SHAPES, names, method.fusion("concat"), 4, 3)
    method.attach(model, {})
    method.setup(SimpleNamespace(model=model, first_epoch=3, add_parameters=lambda p: None))
    return method, model


def learnt(method, model, epoch, own_heads=True):
    """Return which groups of parameters a step of this epoch gives gradients to."""
    phase = method.on_epoch_start(epoch).phase
    torch.manual_seed(1)
    inputs = {"audio": torch.randn(4, 9, 8), "video": torch.randn(4, 2, 3, 12, 12)}
    batch = Batch(inputs, torch.tensor([0, 1, 2, 0]), torch.arange(4))
    model.zero_grad(set_to_none=True)
    loss = method.loss(model(inputs), batch)
    loss.backward()
    groups = model.groups()
    found = {m for m, p in groups.encoders.items() if all(v.grad is not None for v in p)}
    heads = {m for m, p in groups.heads.items() if all(v.grad is not None for v in p)}
    partly = {n.split(".")[1] for n, p in model.named_parameters() if p.grad is not None}
    shared = {n.split(".")[1] for n, _ in model.named_parameters() if n.startswith("extras.")}
    assert found == (heads if own_heads else partly - shared)
    assert own_heads == (found == partly) and own_heads == bool(heads)
    return phase, found, loss


def test_only_the_modality_whose_turn_it_is_gets_gradients():
    method, model = plugin("paper")
    assert learnt(method, model, 3)[:2] == ("boost", {"audio"})
    assert learnt(method, model, 4)[:2] == ("joint", {"audio"})
    assert learnt(method, model, 5)[:2] == ("boost", {"video"})
    assert learnt(method, model, 6)[:2] == ("joint", {"audio", "video"})


def test_agreement_teaches_in_the_paper_and_is_only_a_number_in_the_released_code():
    gradients = {}
    for variant in ("paper", "released_code"):
        for weight in (0.0, 10.0):
            method, model = plugin(variant, agreement=weight)
            loss = learnt(method, model, 5, variant == "paper")[2]
            encoder = model.groups().encoders["video"]
            gradients[variant, weight] = loss.item(), encoder[0].grad
    for variant in ("paper", "released_code"):
        assert gradients[variant, 10.0][0] > gradients[variant, 0.0][0]
    code, paper = (
        torch.equal(gradients[v, 0.0][1], gradients[v, 10.0][1]) for v in ("released_code", "paper")
    )
    assert code and not paper


def test_the_plugin_takes_the_others_for_the_ensemble_and_the_one_before_to_agree_with():
    """Three modalities, the turn of the second in a later round: the others are first and third."""
    method = Reconboost("paper", Options(boost_epochs=1, joint_epochs=0))
    method.attach(SimpleNamespace(modalities=["a", "b", "c"]), {})
    method.setup(SimpleNamespace(first_epoch=1))
    method.on_epoch_start(5)
    logits = {"a": t(LOGITS) * 2, "b": t(LOGITS), "c": t(OTHERS)}
    batch = Batch({}, torch.tensor(LABELS), torch.arange(2))
    expected = 0.0
    for row, third, label in zip(LOGITS, OTHERS, LABELS, strict=True):
        first = [2 * v for v in row]
        known = softmax([u + v for u, v in zip(first, third, strict=True)])[label]
        expected -= (5.0 - known) * math.log(softmax(row)[label]) / (2 * 3)
        pairs = zip(softmax(row), softmax(first), strict=True)
        expected += 0.5 * sum((u - v) ** 2 for u, v in pairs) / 6
    assert method.loss(Output({}, logits, t(LOGITS)), batch).item() == pytest.approx(expected)


def test_only_members_predict_and_a_loaded_model_knows_them():
    method, model = plugin("paper")
    logits = {"audio": t(LOGITS), "video": t(OTHERS)}
    output = Output({}, logits, t(LOGITS) * 0)
    method.on_epoch_start(3)
    assert torch.equal(method.predict(output).logits, t(LOGITS))
    loaded = Reconboost("paper", Options())
    loaded.attach(model, method.structure())
    assert torch.equal(loaded.predict(output).logits, t(LOGITS))
    method.on_epoch_start(5)
    assert torch.equal(method.predict(output).logits, t(LOGITS) + t(OTHERS))
    without_audio = replace(output, modality_logits={"video": t(OTHERS)})
    assert torch.equal(method.predict(without_audio).logits, t(OTHERS))
    assert not loaded.predict(without_audio).logits.any()  # its only member is absent
