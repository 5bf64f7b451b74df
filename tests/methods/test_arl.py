"""ARL: the measures of a batch by hand, the factors on the encoders alone."""

import math

import pytest
import torch
from small import batch32, model32
from torch import nn

from equipoise.methods.arl.asymmetry import asymmetric_weights, dependence, inverse_variance
from equipoise.methods.base import create
from equipoise.params import Train
from equipoise.training.run import Run, make_optimizer

THREE = ("audio", "image", "video")


def t(values):
    return torch.tensor(values, dtype=torch.float64)


A = t([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]])
V = t([[0.2, 0.1, 0.0], [0.0, 0.3, -0.3]])


def test_the_measures_and_the_weights_by_hand():
    used, sure = dependence({"a": A, "v": V}), inverse_variance({"a": A, "v": V})
    assert used.tolist() == pytest.approx([2.5 / 2.95, 0.45 / 2.95])
    assert sure.tolist() == pytest.approx([0.6021388118065898, 0.39786118819341004], rel=1e-12)
    k = asymmetric_weights(used, sure, 8.0)
    assert k.tolist() == pytest.approx([0.12319128751026016, 0.8768087124897399], rel=1e-12)
    # softmax(T [d~_v q_a, d~_a q_v]) written out
    a, v = (8 * float(used[1 - i] * sure[i]) for i in (0, 1))
    assert float(k[0]) == pytest.approx(1 / (1 + math.exp(v - a)), rel=1e-12)


def test_equal_logits_and_no_temperature_give_equal_weights():
    for pair, temperature in (({"a": A, "v": A}, 8.0), ({"a": A, "v": V}, 0.0)):
        k = asymmetric_weights(dependence(pair), inverse_variance(pair), temperature)
        assert k.tolist() == pytest.approx([0.5, 0.5])
    three = dict.fromkeys(THREE, A)
    k = asymmetric_weights(dependence(three), inverse_variance(three), 4.0)
    assert k.tolist() == pytest.approx([1 / 3] * 3)


def test_a_modality_that_is_quite_sure_is_limited():
    sure = inverse_variance({"a": 100 * A, "v": V})
    assert sure.tolist() == pytest.approx([0.769230769, 0.230769231])


def test_three_modalities_in_the_form_of_our_extension():
    three = {"a": A, "v": V, "x": A + V}
    d = [float(z.abs().sum() / 2) for z in three.values()]
    h = [float(-(z.softmax(1) * z.log_softmax(1)).sum() / 2) for z in three.values()]
    q = [1 / max(x / sum(h), 0.2) for x in h]
    exponents = [math.exp(4 * x / sum(q) * (1 - y / sum(d)) / 2) for x, y in zip(q, d, strict=True)]
    k = asymmetric_weights(dependence(three), inverse_variance(three), 4.0)
    assert k.tolist() == pytest.approx([x / sum(exponents) for x in exponents])


def test_logits_of_zero_give_finite_weights():
    nothing = {"a": torch.zeros(2, 3), "v": torch.zeros(2, 3)}
    assert asymmetric_weights(
        dependence(nothing), inverse_variance(nothing), 4.0
    ).tolist() == pytest.approx([0.5, 0.5])


def step(variant, epoch, names=("audio", "video"), **options):
    """Gradients by the method, and those of its loss by themselves."""
    net, data = model32(modalities=names), batch32(names)
    train = Train(optimizer="sgd")
    optimizer = make_optimizer(list(net.parameters()), train)
    method = create(f"arl-{variant}", {"clip": None, **options})
    method.attach(net, {})
    method.setup(Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 9))
    method.on_epoch_start(epoch)
    output = net(data.inputs, detach_heads=True)
    method.loss(output, data).backward()
    method.after_backward(output, data)
    found = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    net.zero_grad()
    ce, gamma = nn.functional.cross_entropy, 1.0 if epoch <= 6 else 4.0
    alone = {m: net({m: data.inputs[m]}).logits for m in names}
    loss = ce(net(data.inputs).logits, data.labels)
    (loss + gamma * sum(ce(z, data.labels) for z in alone.values())).backward()
    plain = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}
    return found, plain, alone, method.on_epoch_end(epoch, {})


@pytest.mark.parametrize("names", [("audio", "video"), THREE])
def test_encoders_get_one_plus_k_and_nothing_else_does(names):
    found, plain, alone, row = step("paper", 7, names)
    k = asymmetric_weights(dependence(alone), inverse_variance(alone), 4.0).tolist()
    assert max(k) - min(k) > 0.01
    assert found.keys() == plain.keys()
    for n, g in plain.items():
        factor = 1.0
        for m, each in zip(names, k, strict=True):
            if n.startswith(f"encoders.{m}."):
                factor = 1 + each
                assert row[f"factor_{m}"] == pytest.approx(factor, rel=1e-5)
        torch.testing.assert_close(found[n], factor * g, rtol=1e-4, atol=1e-6)


def test_in_the_warmup_the_losses_have_equal_weight_and_no_factor():
    found, plain, _, row = step("paper", 6)
    for n, g in plain.items():
        torch.testing.assert_close(found[n], g, rtol=1e-4, atol=1e-6)
    assert set(row.values()) == {1.0}


def test_the_released_code_has_one_factor_for_all_encoders():
    found, plain, _, _ = step("released_code", 7)
    for n, g in plain.items():
        factor = 1.5 if n.startswith("encoders.") else 1.0
        torch.testing.assert_close(found[n], factor * g, rtol=1e-4, atol=1e-6)


def test_the_clip_comes_after_the_factors():
    whole, cut = step("paper", 7)[0], step("paper", 7, clip=0.5)[0]
    length = torch.cat([g.flatten() for g in whole.values()]).norm()
    assert float(length) > 0.5
    for n, g in whole.items():
        torch.testing.assert_close(cut[n], g * 0.5 / length, rtol=1e-4, atol=1e-7)
