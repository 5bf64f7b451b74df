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
    clip_where_large,
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


def attached(net, key="agm", **options):
    train = Train(optimizer="sgd", learning_rate=0.1)
    optimizer = make_optimizer(list(net.parameters()), train)
    method = create(key, options)
    assert isinstance(method, Agm)
    method.attach(net, {})
    method.setup(Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 1))
    return method


@pytest.mark.parametrize("clip", [0, 0.05])
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
        shrink = min(1.0, clip / length) if clip else 1.0
        assert not clip or shrink < 1
        for n, p in net.named_parameters():
            if n in expected:
                torch.testing.assert_close(p.grad, shrink * expected[n], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("names", [("audio", "video"), ("audio", "image", "video")])
def test_the_variant_output_scales_encoder_and_classifier_part_of_a_modality(names):
    """For a sum of shares W_m h_m + b/M: both by k_m, the bias by the mean of all k."""
    net = model(modalities=names)
    method = attached(net, "agm-output", alpha=0.7, clip=0)
    data = batch(names)
    method._target = torch.tensor([-0.5, -1.5, -1.0])[: len(names)]
    method._steps = 3
    output = net(data.inputs, detach_heads=True)
    plain = nn.functional.cross_entropy(output.logits, data.labels)
    expected = dict(
        zip(
            [n for n, _ in net.named_parameters()],
            torch.autograd.grad(plain, net.parameters(), retain_graph=True, allow_unused=True),
            strict=True,
        )
    )
    weights, bias = net.fusion.classifier.weight.chunk(len(names), 1), net.fusion.classifier.bias
    score = {}
    for m, w in zip(names, weights, strict=True):
        z = output.features[m] @ w.T + bias / len(names)
        score[m] = float(z.log_softmax(1)[torch.arange(6), data.labels].mean().detach())
    count, mean = len(names), np.mean(list(score.values()))
    power = count / (count - 1)
    past = dict(zip(names, [-0.5, -1.5, -1.0][:count], strict=True))
    k = {
        m: math.exp(
            0.7
            * (
                math.exp(power * (past[m] - np.mean(list(past.values()))))
                - math.exp(power * (score[m] - mean))
            )
        )
        for m in names
    }
    loss = method.loss(output, data)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-6)
    net.zero_grad()
    loss.backward()
    method.after_backward(output, data)
    for m in names:
        for part in ("weight", "bias"):
            got = net.encoders[m].get_parameter(part).grad
            torch.testing.assert_close(
                got, k[m] * expected[f"encoders.{m}.{part}"], rtol=1e-4, atol=1e-6
            )
    parts = expected["fusion.classifier.weight"].chunk(count, 1)
    by_hand = torch.cat([k[m] * part for m, part in zip(names, parts, strict=True)], 1)
    torch.testing.assert_close(net.fusion.classifier.weight.grad, by_hand, rtol=1e-4, atol=1e-6)
    total = np.mean(list(k.values())) * expected["fusion.classifier.bias"]
    torch.testing.assert_close(bias.grad, total, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        method._target, torch.tensor([(3 * past[m] + score[m]) / 4 for m in names])
    )


@pytest.mark.parametrize(("large", "length"), [(0.9, 2.0), (1.1, 1.0)])
def test_the_length_is_limited_only_where_an_element_is_large(large, length):
    one, two = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1, 2))
    two.grad = torch.tensor([[-large, 0.1]])
    one.grad = torch.tensor([math.sqrt(4 - large**2 - 0.01), 0.0, 0.0])
    clip_where_large([one, two], [two], 1.0)
    found = math.sqrt(float((one.grad**2).sum() + (two.grad**2).sum()))
    assert found == pytest.approx(length, rel=1e-5)


def test_limits_by_variant():
    for key, options, most in (
        ("agm", {}, 5.0),
        ("agm-output", {}, 1.0),
        ("agm", {"clip": 0}, 0),
        ("agm-output", {"clip": 3}, 3),
    ):
        assert create(key, options)._most == most
