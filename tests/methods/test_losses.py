"""The maths of joint and unimodal against values worked out here."""

import math

import numpy as np
import pytest
import torch
from small import batch, model
from torch import nn

from equipoise.methods.base import create


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def test_joint_loss_by_hand_with_and_without_heads():
    net, data = model(), batch()
    output = net(data.inputs)
    z = output.logits.detach().numpy().astype(np.float64)
    fused = -np.mean([math.log(softmax(z[i])[int(y)]) for i, y in enumerate(data.labels)])
    assert float(create("joint", {}).loss(output, data).detach()) == pytest.approx(fused, rel=1e-6)
    heads = 0.0
    for logits in output.modality_logits.values():
        h = logits.detach().numpy().astype(np.float64)
        heads -= np.mean([math.log(softmax(h[i])[int(y)]) for i, y in enumerate(data.labels)])
    trained = create("joint", {"heads": "trained"}).loss(output, data)
    assert float(trained.detach()) == pytest.approx(fused + heads, rel=1e-6)


NAMES = [("video",), ("audio", "video"), ("audio", "image", "video")]


@pytest.mark.parametrize("names", NAMES, ids=["1", "2", "3"])
def test_unimodal_gradients_are_those_of_each_modality_alone(names):
    net, data = model("late", names), batch(names)
    method = create("unimodal", {})
    method.attach(net, {})
    method.loss(net(data.inputs), data).backward()
    together = {name: p.grad.clone() for name, p in net.named_parameters()}
    for m in net.modalities:
        net.zero_grad()
        alone = net.heads[m](net.encoders[m](data.inputs[m]))
        nn.functional.cross_entropy(alone.float(), data.labels).backward()
        for name, p in net.named_parameters():
            if f".{m}." in name:
                torch.testing.assert_close(p.grad, together[name])
            else:
                assert p.grad is None or not p.grad.any()


@pytest.mark.parametrize("names", NAMES, ids=["1", "2", "3"])
def test_unimodal_prediction_is_the_mean_of_the_probabilities(names):
    net, data = model("late", names), batch(names)
    output = net(data.inputs)
    expected = sum(z.softmax(1) for z in output.modality_logits.values()) / len(names)
    torch.testing.assert_close(output.logits.softmax(1), expected)


def test_probe_heads_leave_encoders_and_fusion_untouched():
    from equipoise.methods.base import head_loss

    net, data = model(), batch()
    head_loss(net(data.inputs, detach_heads=True), data.labels).backward()
    groups = net.groups()
    for parameters in (*groups.encoders.values(), groups.fusion):
        assert all(p.grad is None for p in parameters)
    for parameters in groups.heads.values():
        assert all(p.grad.abs().sum() > 0 for p in parameters)


def test_trained_heads_reach_their_own_encoder():
    from equipoise.methods.base import head_loss

    net, data = model(), batch()
    head_loss(net(data.inputs), data.labels).backward()
    assert all(p.grad.abs().sum() > 0 for ps in net.groups().encoders.values() for p in ps)
