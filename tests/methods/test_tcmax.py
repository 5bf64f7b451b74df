"""TCMax: the bound by brute force, its gradient, and drawn negatives."""

import itertools
import math

import numpy as np
import pytest
import torch
from small import batch32, model32
from torch.nn import functional

from equipoise import params
from equipoise.errors import UserError
from equipoise.methods.base import create
from equipoise.methods.tcmax import Options, check
from equipoise.methods.tcmax.bound import additive_loss, drawn_tuples, sampled_loss

FRAMES = {"video": {"kind": "frames", "pick": {"even": 4}, "size": 32}}
A = [[1.0, -0.5], [0.2, 0.8]]
V = [[0.3, 0.1], [-0.4, 0.6]]
T = [[0.5, 0.0], [0.0, -0.5]]
Y = torch.tensor([0, 1])


def shares(*values):
    return {str(i): torch.tensor(v, dtype=torch.float64) for i, v in enumerate(values)}


def brute(*values, labels=(0, 1)):
    """Every tuple and class, one by one, in plain Python."""
    count, classes, modalities = len(values[0]), len(values[0][0]), len(values)
    total = sum(
        math.exp(sum(f[j][c] for f, j in zip(values, tuple_, strict=True)))
        for tuple_ in itertools.product(range(count), repeat=modalities)
        for c in range(classes)
    )
    fitted = sum(f[i][labels[i]] for i in range(count) for f in values) / count
    return math.log(total / count**modalities / classes) - fitted


def test_the_loss_of_two_and_three_modalities_is_the_sum_over_all_tuples():
    assert float(additive_loss(shares(A, V), Y)) == pytest.approx(-0.6414002321491062, rel=1e-12)
    assert brute(A, V) == pytest.approx(-0.6414002321491062, rel=1e-12)
    assert float(additive_loss(shares(A, V, T), Y)) == pytest.approx(-0.5845486355290438, rel=1e-12)
    assert brute(A, V, T) == pytest.approx(-0.5845486355290438, rel=1e-12)
    assert float(additive_loss(shares(A), Y)) == pytest.approx(brute(A), rel=1e-12)


def test_the_gradient_is_the_softmax_over_all_tuples_less_the_label():
    found = shares(A, V)
    found["0"].requires_grad_()
    additive_loss(found, Y).backward()
    expected = [[-0.162049303, 0.10926662], [0.151851037, -0.099068354]]
    np.testing.assert_allclose(found["0"].grad.numpy(), expected, atol=1e-8)


def test_equal_logits_give_zero_and_a_constant_changes_nothing():
    assert float(additive_loss(shares([[2.0] * 3] * 4, [[-1.0] * 3] * 4), Y.repeat(2))) == (
        pytest.approx(0, abs=1e-12)
    )
    moved = {m: f + 300 for m, f in shares(A, V).items()}
    assert float(additive_loss(moved, Y)) == pytest.approx(-0.6414002321491062)
    far = additive_loss({m: 500 * f.float() for m, f in shares(A, V).items()}, Y)
    assert math.isfinite(float(far))


def test_given_negatives_by_hand_and_all_tuples_equal_the_additive_form():
    a, v = shares(A, V).values()
    some = torch.stack([a[0] + v[1], a[1] + v[0]])
    assert float(sampled_loss(a + v, some, Y)) == pytest.approx(-0.7853093822064559, rel=1e-12)
    every = (a[:, None] + v[None]).reshape(4, 2)
    assert float(sampled_loss(a + v, every, Y)) == pytest.approx(-0.6414002321491062, rel=1e-12)


def test_tuples_are_drawn_for_each_modality_on_its_own():
    torch.manual_seed(0)
    rows = torch.arange(5.0)[:, None]
    found = drawn_tuples({"a": rows, "v": rows}, 4000)
    pairs = torch.stack([found["a"][:, 0], found["v"][:, 0]]).long()
    counts = torch.bincount(5 * pairs[0] + pairs[1], minlength=25)
    assert counts.sum() == 4000 and counts.min() > 100 and counts.max() < 220  # 160 expected


@pytest.mark.parametrize("fusion", ["concat", "sum", "weighted"])
@pytest.mark.parametrize("names", [("video",), ("audio", "video"), ("audio", "image", "video")])
def test_the_loss_of_a_model_is_that_of_its_fusion_on_every_tuple(fusion, names):
    net, data = model32(fusion=fusion, modalities=names), batch32(names)
    method = create("tcmax", {})
    method.attach(net, {})
    output = net(data.inputs)
    index = list(itertools.product(range(6), repeat=len(names)))
    paired = {m: output.features[m][[t[i] for t in index]] for i, m in enumerate(names)}
    every = net.classify(paired).logits
    assert len(every) == 6 ** len(names)
    expected = sampled_loss(output.logits, every, data.labels)
    torch.testing.assert_close(method.loss(output, data), expected, rtol=1e-4, atol=1e-5)


def test_drawn_negatives_approach_all_tuples_for_a_fusion_that_is_no_sum():
    torch.manual_seed(2)
    net, data = model32(fusion="gated"), batch32()
    output = net(data.inputs)
    index = list(itertools.product(range(6), repeat=2))
    paired = {m: output.features[m][[t[i] for t in index]] for i, m in enumerate(net.modalities)}
    paired_logits = net.classify(paired).logits
    expected = float(sampled_loss(output.logits, paired_logits, data.labels).detach())
    method = create("tcmax", {"negatives": 50_000})
    method.attach(net, {})
    assert float(method.loss(output, data).detach()) == pytest.approx(expected, abs=0.01)
    whole = create("tcmax", {})
    whole.attach(net, {})
    with pytest.raises(UserError, match="cannot be split"):
        whole.loss(output, data)
    plain = functional.cross_entropy(output.logits, data.labels)
    assert float(plain.detach()) != pytest.approx(expected)


def test_all_tuples_of_a_fusion_that_is_no_sum_are_refused_with_the_parameters():
    given = params.Params.model_validate(
        {
            "datasets": {"keypad": {"modalities": FRAMES, "model": {"fusion": "gated"}}},
            "methods": {"from_scratch": {"joint": {}}},
            "seeds": [0],
        }
    )
    check("total_correlation", Options(negatives=64), given)
    with pytest.raises(ValueError, match="negatives: fusion 'gated' is no sum over modalities"):
        check("total_correlation", Options(), given)
