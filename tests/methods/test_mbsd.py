"""MBSD: weight, difference and divergence by hand; pairs of three; the loss of a model."""

import math
from itertools import combinations

import pytest
import torch
from small import batch32, model32
from torch.nn import functional

from equipoise.methods.base import create
from equipoise.methods.mbsd.distillation import (
    distillation_loss,
    divergence,
    pair_weights,
    squared_difference,
)

Y = torch.tensor([0])


def t(*rows):
    return torch.tensor(rows, dtype=torch.float64)


A, V = t([2.0, 0.0, -1.0]), t([0.5, 1.0, 0.0])


def test_the_terms_by_hand():
    assert float(pair_weights(A, V, Y)) == pytest.approx(0.8437947345 - 0.3071958857)
    assert float(squared_difference(A, V)) == pytest.approx(4.25 / 3)
    assert float(squared_difference(A.softmax(1), V.softmax(1))) == pytest.approx(0.1542174759)
    assert float(divergence(A, V, Y, False)) == pytest.approx(-0.6217842577)
    assert float(divergence(A, V, Y, True)) == pytest.approx(-0.3103979884)
    assert float(divergence(V, A, Y, True)) == pytest.approx(-0.3103979884)
    assert float(distillation_loss({"a": A, "v": V}, Y, False)) == pytest.approx(0.4265329856)


def test_a_sample_that_both_get_wrong_counts_nothing():
    wrong = torch.tensor([2])
    assert float(pair_weights(A, V, wrong)) == 0
    assert float(distillation_loss({"a": A, "v": V}, wrong, True)) == 0


def test_equal_predictions_leave_the_cross_entropies_alone():
    assert float(distillation_loss({"a": A, "v": A}, Y, False)) == 0


def test_the_weight_has_a_gradient():
    a = A.clone().requires_grad_()
    pair_weights(a, V, Y).sum().backward()
    p = A.softmax(1)[0]
    expected = [float(p[0] * (1 - p[0])), float(-p[0] * p[1]), float(-p[0] * p[2])]
    assert a.grad[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("corrected", [False, True])
def test_three_modalities_are_the_mean_over_their_pairs(corrected):
    logits = {"a": A, "v": V, "x": t([0.3, 0.2, 0.9])}
    total = 0.0
    for x, y in combinations(logits.values(), 2):
        p, q = x.softmax(1)[0].tolist(), y.softmax(1)[0].tolist()
        right = max(p) == p[0] or max(q) == q[0]
        pairs = (
            zip(x[0].tolist(), y[0].tolist(), strict=True) if corrected else zip(p, q, strict=True)
        )
        rs = sum((i - j) ** 2 for i, j in pairs) / 3
        weak, strong = min(p[0], q[0]), max(p[0], q[0])
        kl = weak * (math.log(weak) - (math.log(strong) if corrected else strong))
        total += abs(p[0] - q[0]) * right * (rs + kl)
    assert float(distillation_loss(logits, Y, corrected)) == pytest.approx(total / 3)


def test_far_logits_stay_finite():
    a = t([300.0, 0.0, 0.0]).requires_grad_()
    loss = distillation_loss({"a": a, "v": t([0.0, 300.0, 0.0])}, Y, True)
    loss.backward()
    assert loss.isfinite() and a.grad.isfinite().all()


@pytest.mark.parametrize("fusion", ["concat", "gated"])
@pytest.mark.parametrize("names", [("audio", "video"), ("audio", "image", "video")])
@pytest.mark.parametrize("variant", ["balancebenchmark", "corrected"])
def test_the_loss_of_a_model(fusion, names, variant):
    net, data = model32(fusion=fusion, modalities=names), batch32(names)
    method = create(f"mbsd-{variant}", {"weight": 2.0})
    method.attach(net, {})
    output = net(data.inputs)
    if fusion == "concat":
        weights = net.fusion.classifier.weight.chunk(len(names), dim=1)
        bias = net.fusion.classifier.bias / len(names)
        features = output.features
        logits = {m: features[m] @ w.T + bias for m, w in zip(names, weights, strict=True)}
    else:
        logits = {m: net({m: data.inputs[m]}).logits for m in names}
    ce = functional.cross_entropy
    expected = ce(output.logits, data.labels) + sum(ce(z, data.labels) for z in logits.values())
    expected = expected + 2 * distillation_loss(logits, data.labels, variant == "corrected")
    torch.testing.assert_close(method.loss(output, data), expected)
