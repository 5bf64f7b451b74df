"""InfoReg: lead, window and pull by hand; what an epoch does, against the formulas."""

import math

import pytest
import torch
from small import batch32, model32
from torch import nn

from equipoise.methods.base import create
from equipoise.methods.inforeg.regulation import (
    batch_score,
    growth,
    leads,
    mean_squares,
    pull,
    smoothed_growth,
    squared_length,
)
from equipoise.params import Train
from equipoise.training.run import Run, make_optimizer

THREE = ("audio", "image", "video")


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def logits(*probabilities):
    """Two classes; the true one, the first, has these probabilities."""
    p = t(*probabilities)
    return torch.stack([p.log(), (1 - p).log()], dim=1)


def lead(score):
    y = torch.zeros(2, dtype=torch.int64)
    scores = {"a": batch_score(logits(0.7, 0.9), y, score)}
    scores["v"] = batch_score(logits(0.3, 0.5), y, score)
    found = leads(scores)
    assert float(found["v"]) == 0
    return float(found["a"])


def test_leads_and_strengths_by_hand():
    assert lead("probability") == pytest.approx(0.4)
    assert lead("total_probability") == pytest.approx(0.8)
    assert lead("log_probability") == pytest.approx(0.7175422626446613, rel=1e-12)
    strength = {s: math.exp(0.9 * math.tanh(lead(s))) for s in ("probability", "log_probability")}
    assert strength["probability"] == pytest.approx(1.4076956349795253)
    assert strength["log_probability"] == pytest.approx(1.7399322119988039)
    three = leads({"a": t(3.0)[0], "b": t(1.0)[0], "c": t(0.0)[0]})
    assert [float(three[m]) for m in "abc"] == [2.5, 1.0, 0.0]


def test_windows_by_hand():
    traces = [4.0, 6.0, 6.2, 6.1]
    assert [growth(traces[:n]) for n in range(5)] == pytest.approx(
        [0, 0, 1 / 3, 0.0322580645, -0.0163934426]
    )
    assert [smoothed_growth(traces[:n]) for n in range(4)] == pytest.approx(
        [1, 1, 0.6, 0.3827160494]
    )
    long = [float(n) for n in range(1, 13)]
    # means of the last ten, and of the ten before them
    assert smoothed_growth(long) == pytest.approx((7.5 - 6.5) / 7.5)
    assert smoothed_growth([0.0]) == 1 and growth([0.0, 0.0]) == 0


def test_the_pull_by_hand_and_as_the_gradient_of_the_penalty():
    theta, anchor = nn.Parameter(t(0.5, -1.0)), t(0.4, -0.8)
    theta.grad, alpha = t(0.1, 0.2), torch.tensor(1.4076956349795253, dtype=torch.float64)
    none = nn.Parameter(t(1.0))
    pull([theta, none], [anchor, t(0.0)], alpha)
    assert theta.grad.tolist() == pytest.approx([0.2407695634979525, -0.08153912699590499])
    assert none.grad is None
    penalty = alpha / 2 * ((theta - anchor) ** 2).sum()
    assert float(penalty.detach()) == pytest.approx(0.03519239087444812)
    (slope,) = torch.autograd.grad(penalty, theta)
    torch.testing.assert_close(theta.grad, t(0.1, 0.2) + slope)


def test_traces_of_one_step_by_hand():
    weight, bias = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2))
    weight.grad, bias.grad = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([2.0, 2.0])
    assert float(squared_length([weight, bias])) == 14 + 8
    assert float(mean_squares([weight, bias])) == 14 / 4


def started(variant, names=("audio", "video"), **options):
    net, data = model32(modalities=names), batch32(names)
    train = Train(optimizer="sgd")
    optimizer = make_optimizer(list(net.parameters()), train)
    method = create(f"inforeg-{variant}", options)
    method.attach(net, {})
    method.setup(Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 9))
    return net, data, method


def step(net, data, method):
    """Gradients before and after the method has changed them, by name."""
    net.zero_grad(set_to_none=True)
    output = net(data.inputs, detach_heads=True)
    method.loss(output, data).backward()
    before = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    method.after_backward(output, data)
    return before, {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}


def scores(net, data, score):
    split = net.fusion.split(net(data.inputs).features)
    return {m: float(batch_score(z.detach(), data.labels, score)) for m, z in split.items()}


@torch.no_grad()
def move(net):
    for p in net.parameters():
        p.add_(0.1 * torch.ones_like(p))


@pytest.mark.parametrize("names", [("audio", "video"), THREE])
def test_from_the_third_epoch_leading_encoders_are_pulled_within_their_window(names):
    net, data, method = started("paper", names)
    for epoch in (1, 2):
        method.on_epoch_start(epoch)
        move(net)
        before, after = step(net, data, method)
        assert all(torch.equal(before[n], after[n]) for n in before)
        method.on_epoch_end(epoch, {})
    # the first modality's trace has grown, that of the others has not
    method._traces = {m: [1.0, 2.0 if m == names[0] else 1.0] for m in names}
    with torch.no_grad():
        for m in names:
            net.encoders[m].weight.mul_(0.5)
        net.fusion.classifier.weight[0, :4] += 5.0 * net.encoders[names[0]].bias.sign()
    data.labels = net.fusion.split(net(data.inputs).features)[names[0]].argmax(dim=1)
    anchors = {n: p.detach().clone() for n, p in net.named_parameters()}
    method.on_epoch_start(3)
    move(net)
    s = scores(net, data, "log_probability")
    worse = [s[names[0]] - s[m] for m in names if s[m] < s[names[0]]]
    assert worse, "the first modality leads"
    alpha = math.exp(0.9 * math.tanh(sum(worse) / len(worse)))
    before, after = step(net, data, method)
    for n, p in net.named_parameters():
        if n not in before:
            continue
        pulled = alpha * (p.detach() - anchors[n]) if f"encoders.{names[0]}." in n else 0.0
        torch.testing.assert_close(after[n], before[n] + pulled, rtol=1e-4, atol=1e-6)
    row = method.on_epoch_end(3, {})
    assert row[f"strength_{names[0]}"] == pytest.approx(alpha, rel=1e-5)
    own = [g for n, g in before.items() if f"encoders.{names[0]}." in n]
    assert row[f"trace_{names[0]}"] == pytest.approx(sum(float(g.square().sum()) for g in own))


def test_the_released_code_pulls_from_the_first_epoch_and_counts_the_pull():
    net, data, method = started("released_code")
    anchors = {n: p.detach().clone() for n, p in net.named_parameters()}
    method.on_epoch_start(1)
    move(net)
    s = scores(net, data, "total_probability")
    first, second = ("audio", "video") if s["audio"] > s["video"] else ("video", "audio")
    alpha = {"audio": 0.95, "video": 0.10}[first] * math.exp(math.tanh(s[first] - s[second]))
    before, after = step(net, data, method)
    for n, p in net.named_parameters():
        if n in before:
            pulled = alpha * (p.detach() - anchors[n]) if f"encoders.{first}." in n else 0.0
            torch.testing.assert_close(after[n], before[n] + pulled, rtol=1e-4, atol=1e-6)
    row = method.on_epoch_end(1, {})
    for m in ("audio", "video"):
        weight = after[f"encoders.{m}.weight"]
        assert row[f"trace_{m}"] == pytest.approx(float(weight.square().mean()), rel=1e-5)


@pytest.mark.parametrize("fusion", ["concat", "gated"])
def test_the_unimodal_losses_are_of_shares_or_of_each_modality_alone(fusion):
    net, data = model32(fusion=fusion), batch32()
    method = create("inforeg", {"unimodal_loss": True})
    method.attach(net, {})
    method._as_released = False
    output = net(data.inputs)
    ce = nn.functional.cross_entropy
    if fusion == "concat":
        alone = net.fusion.split(output.features)
    else:
        alone = {m: net({m: x}).logits for m, x in data.inputs.items()}
    expected = ce(output.logits, data.labels) + sum(ce(z, data.labels) for z in alone.values())
    torch.testing.assert_close(method.loss(output, data), expected)
