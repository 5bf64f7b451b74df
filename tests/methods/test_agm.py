"""AGM: coalitions of features, the target and the step by hand."""

import math

import numpy as np
import pytest
import torch
from small import batch32 as batch
from small import model32 as model
from torch import nn

from equipoise.coalitions import shapley
from equipoise.methods.agm.method import (
    Agm,
    coalition_logits,
    coefficients,
    discrepancies,
    mean_log_probability,
)
from equipoise.methods.base import create
from equipoise.params import Train
from equipoise.training.run import Run, make_optimizer


def test_of_a_sum_the_shapley_value_is_the_split_with_the_bias_shared_out():
    net = model(fusion="concat", modalities=("a", "i", "v"))
    features = {m: torch.randn(4, 4) for m in ("a", "i", "v")}
    with torch.no_grad():
        shares = shapley(coalition_logits(net, features))
        split = net.fusion.split(features)
    for m, share in shares.items():
        # F(0) = 0 in the formula though the bias is there: it is paid to whoever comes first.
        torch.testing.assert_close(share, split[m], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fusion", ["gated", "film", "late"])
def test_coalitions_zero_the_features_of_the_absent(fusion):
    net, zero = model(fusion=fusion), torch.zeros(4, 4)
    x = {"audio": torch.randn(4, 4), "video": torch.randn(4, 4)}
    with torch.no_grad():
        values = coalition_logits(net, x)
        alone = net.classify({"audio": x["audio"], "video": zero}).logits
        other = net.classify({"audio": zero, "video": x["video"]}).logits
    torch.testing.assert_close(values[frozenset({"audio"})], alone)
    torch.testing.assert_close(values[frozenset({"video"})], other)
    assert len(values) == 3


def test_scores_and_discrepancies_by_hand():
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    score = mean_log_probability(logits, torch.tensor([1, 0]))
    assert float(score) == pytest.approx((math.log(0.75) + math.log(0.5)) / 2)
    hopeless = mean_log_probability(torch.tensor([[1e4, 0.0], [0.0, 0.0]]), torch.tensor([1, 0]))
    assert float(hopeless) == pytest.approx((math.log(1e-8) + math.log(0.5)) / 2)
    two = discrepancies(torch.tensor([-0.5, -1.5]))
    assert two.tolist() == pytest.approx([math.e, 1 / math.e])
    three = discrepancies(torch.tensor([-1.0, -2.0, -3.0]))
    assert three.tolist() == pytest.approx([math.exp(1.5), 1.0, math.exp(-1.5)])
    assert discrepancies(torch.tensor([-18.4, 0.0, -18.4, 0.0])).isfinite().all()


def test_coefficients_by_hand_slow_what_is_ahead_and_stop_at_the_cap():
    ratio, target = torch.tensor([2.0, 0.5, 1.0, 0.0]), torch.tensor([1.5, 2.0, 1.0, 99.0])
    got = coefficients(ratio, target, alpha=0.5, cap=7.0)
    assert got.tolist() == pytest.approx([math.exp(-0.25), math.exp(0.75), 1, math.exp(3.5)])
    assert coefficients(ratio, target, 0.0, 7.0).tolist() == [1, 1, 1, 1]


def attached(net, **options):
    train = Train(optimizer="sgd", learning_rate=0.1)
    optimizer = make_optimizer(list(net.parameters()), train)
    method = create("agm", options)
    assert isinstance(method, Agm)
    method.attach(net, {})
    method.setup(Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 1))
    return method


@pytest.mark.parametrize("clip", [None, 0.05])
def test_three_steps_by_hand(clip):
    net, method = model(), None
    method = attached(net, alpha=0.7, clip=clip)
    history = []
    for seed in range(3):
        data = batch()
        data.inputs = {m: x * (1 + seed) + seed for m, x in data.inputs.items()}
        net.zero_grad()
        output = net(data.inputs, detach_heads=True)
        nn.functional.cross_entropy(output.logits, data.labels).backward()
        before = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
        method.after_backward(output, data)
        a, v = (output.features[m].detach() for m in ("audio", "video"))
        weight, bias = net.fusion.classifier.weight, net.fusion.classifier.bias
        phi = {"audio": a @ weight[:, :4].T + bias / 2, "video": v @ weight[:, 4:].T + bias / 2}
        score = {
            m: float(z.log_softmax(1)[torch.arange(6), data.labels].mean().detach())
            for m, z in phi.items()
        }
        past = np.mean(history) if history else 0.0  # the step itself is no part of its target
        history.append(score["audio"] - score["video"])
        factor = {
            "audio": math.exp(0.7 * (math.exp(past) - math.exp(history[-1]))),
            "video": math.exp(0.7 * (math.exp(-past) - math.exp(-history[-1]))),
        }
        assert min(factor.values()) < 1 < max(factor.values())
        expected = {n: factor.get(n.split(".")[1], 1.0) * g for n, g in before.items()}
        length = math.sqrt(sum(float((g**2).sum()) for g in expected.values()))
        shrink = 1.0 if clip is None else min(1.0, clip / length)
        assert clip is None or shrink < 1
        for n, p in net.named_parameters():
            if n in expected:
                torch.testing.assert_close(p.grad, shrink * expected[n], rtol=1e-4, atol=1e-7)
