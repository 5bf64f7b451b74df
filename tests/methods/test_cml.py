"""CML: the three penalties by hand, the chain, and the loss of a model."""

import itertools

import numpy as np
import pytest
import torch
from small import batch32, model32
from torch.nn import functional

from equipoise.methods.base import create
from equipoise.methods.cml.calibration import (
    batch_rises,
    chain,
    confidence,
    official_rises,
    rises,
)
from equipoise.params import Train
from equipoise.training.run import Run

THREE = ["audio", "image", "video"]


def t(*rows):
    return torch.tensor(rows, dtype=torch.float64)


FULL = t([2.0, 0.0, 0.0], [0.5, 0.4, 0.0])
PART = t([3.0, 0.0, 0.0], [0.1, 0.1, 0.0])
Y = torch.tensor([0, 1])


def test_confidences_and_penalties_by_hand():
    assert confidence(FULL).tolist() == pytest.approx([0.7869860422, 0.3981893410])
    assert confidence(PART).tolist() == pytest.approx([0.9094429985, 0.3442533457])
    assert float(rises([FULL, PART])) == pytest.approx(0.0612284782)
    assert float(batch_rises([FULL, PART])) == pytest.approx(0.0685209611)
    ce = [float(functional.cross_entropy(z, Y)) for z in (FULL, PART)]
    assert ce == pytest.approx([0.6301862109, 0.5806501895])
    assert np.mean(ce) + 0.1 * float(batch_rises([FULL, PART])) == pytest.approx(0.6122702963)


def test_the_penalties_add_up_along_a_chain():
    last = t([4.0, 0.0, 0.0], [0.9, 0.1, 0.0])
    c = [confidence(z).tolist() for z in (FULL, PART, last)]
    each = [max(0, b - a) for x, y in ((0, 1), (1, 2)) for a, b in zip(c[x], c[y], strict=True)]
    assert float(rises([FULL, PART, last])) == pytest.approx(sum(each) / 2)
    sums = [sum(x) for x in c]
    expected = max(0, sums[1] - sums[0]) + max(0, sums[2] - sums[1])
    assert float(batch_rises([FULL, PART, last])) == pytest.approx(expected)


def test_the_official_masks_case_by_case():
    """Right before; wrong before and after; wrong before and right after does not count."""
    sure, surer = [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]
    other = [0.0, 3.0, 0.0]
    cases = [(sure, surer, 0, True), (sure, surer, 2, True), (sure, other, 1, False)]
    for before, after, label, counts in cases:
        x, y = t(before).requires_grad_(), t(after).requires_grad_()
        found = official_rises([x, y], torch.tensor([label]))
        rise = float((confidence(t(after)) - confidence(t(before)))[0])
        assert float(found.detach()) == pytest.approx(rise if counts else 0)
        found.backward()
        assert bool(y.grad.any()) == counts
        assert bool(x.grad is not None and x.grad.any()) == (label == 0)
    both = official_rises([t(sure, sure), t(surer, surer)], torch.tensor([0, 2]))
    assert float(both) == pytest.approx(2 * rise_of(sure, surer))  # a sum, not a mean


def rise_of(before, after):
    return float((confidence(t(after)) - confidence(t(before)))[0])


def test_a_fall_costs_nothing_and_teaches_nothing():
    x, y = PART[:1].clone().requires_grad_(), FULL[:1].clone().requires_grad_()
    for penalty in (rises([x, y]), batch_rises([x, y]), official_rises([x, y], Y[:1])):
        assert float(penalty.detach()) == 0
        (gradient,) = torch.autograd.grad(penalty, x, allow_unused=True, materialize_grads=True)
        assert not gradient.any()


def test_the_chain_removes_one_after_the_other_in_a_random_order_that_can_be_repeated():
    found = [chain(THREE, (0, 1, step)) for step in range(200)]
    assert all([len(s) for s in links] == [3, 2, 1] for links in found)
    assert all(set(a) > set(b) for links in found for a, b in itertools.pairwise(links))
    last = [links[-1][0] for links in found]
    assert all(40 < last.count(m) < 95 for m in THREE)  # 67 expected
    assert found == [chain(THREE, (0, 1, step)) for step in range(200)]
    assert chain(["video"], (0, 1, 0)) == [["video"]]


@pytest.mark.parametrize("names", [("audio", "video"), tuple(THREE)])
@pytest.mark.parametrize("variant", ["paper", "official_masks", "balancebenchmark"])
def test_the_loss_of_a_model(variant, names):
    net, data = model32(modalities=names), batch32(names)
    with torch.no_grad():
        net.fusion.classifier.weight.mul_(4)
    method = create(f"cml-{variant}", {"weight": 0.3})
    method.attach(net, {})
    method.setup(Run(net, None, None, Train(), torch.device("cpu"), 5, 1, 1))
    method.on_epoch_start(2)
    output = net(data.inputs, detach_heads=True)
    for step in range(3):
        place = 0 if variant == "balancebenchmark" else step
        subsets = chain(names, (5, 2, place))
        links = [net({m: data.inputs[m] for m in s}).logits.detach() for s in subsets]
        ce = [functional.cross_entropy(z, data.labels) for z in links]
        expected = {
            "paper": ce[0] + 0.3 * rises(links),
            "official_masks": sum(ce) / len(ce) + 0.3 * official_rises(links, data.labels),
            "balancebenchmark": sum(ce) / len(ce) + 0.3 * batch_rises(links),
        }[variant]
        torch.testing.assert_close(method.loss(output, data).detach(), expected)
    assert method.on_epoch_end(2, {})["mean_rise"] >= 0
    again = create(f"cml-{variant}", {"weight": 0.3})
    again.attach(net, {})
    again.setup(method.run)
    again.load_state_dict(method.state_dict())
    torch.testing.assert_close(again.loss(output, data), method.loss(output, data))


def test_a_modality_that_tells_nothing_costs_nothing():
    net, data = model32(), batch32()
    with torch.no_grad():
        net.fusion.classifier.weight[:, 4:] = 0
    output = net(data.inputs)
    alone = net({"audio": data.inputs["audio"]}).logits
    assert float(rises([output.logits, alone]).detach()) == pytest.approx(0, abs=1e-7)


def test_with_bf16_both_confidences_are_of_that_precision():
    """One of float32 beside one of bf16 would rise by the rounding alone."""
    net, data = model32(), batch32()
    with torch.no_grad():
        net.fusion.classifier.weight.mul_(20)[:, 4:] = 0
    method = create("cml-paper", {})
    method.attach(net, {})
    method.setup(Run(net, None, None, Train(precision="bf16"), torch.device("cpu"), 5, 1, 1))
    for seed in range(9):  # audio alone is left in some
        method.on_epoch_start(seed)
        with method.run.autocast():
            output = net(data.inputs, detach_heads=True)
        alone = method._links(output)[1]
        if not torch.equal(alone[0], alone[1]):  # not the bias alone
            assert float(rises([output.logits, alone]).detach()) == pytest.approx(0, abs=1e-6)
