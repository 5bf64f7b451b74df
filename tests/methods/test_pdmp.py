"""PDMP: who leads, and what that does to the gradients."""

import pytest
import torch
from small import batch, model
from torch import nn

from equipoise.methods.base import create
from equipoise.methods.pdmp.method import accuracies, coefficients
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


def test_accuracies_by_hand():
    hot = torch.eye(3)
    batches = [
        ({"a": hot[[0, 1]], "b": hot[[2, 1]]}, torch.tensor([0, 1])),
        ({"a": hot[[2]], "b": hot[[2]]}, torch.tensor([0])),
    ]
    assert accuracies(batches) == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}


def test_the_best_alone_leads_and_of_equals_the_first():
    assert coefficients({"a": 0.5, "b": 0.6}, 2.0, 0.5) == {"a": 0.5, "b": 2.0}
    assert coefficients({"a": 0.6, "b": 0.6}, 2.0, 0.5) == {"a": 2.0, "b": 0.5}
    three = {"a": 0.1, "b": 0.9, "c": 0.5}
    assert coefficients(three, 2.0, 0.5) == {"a": 0.5, "b": 2.0, "c": 0.5}
    assert coefficients({"a": 0.1}, 2.0, 0.5) == {"a": 1.0}


class Taught(Run):
    """A run whose teacher is right with audio alone."""

    def taught_rows(self, rows):
        data = batch()
        right = nn.functional.one_hot(data.labels, 3).float()
        yield Output({}, {"audio": right, "video": -right}, right), data.labels


class Splits:
    splits = {"val": [0]}


def gradients(options):
    net, data = model(), batch()
    run = Taught(net, None, Splits(), None, torch.device("cpu"), 0, 1, 4)
    method = create("pdmp", options)
    method.attach(net, {})
    method.setup(run)
    output = net(data.inputs)
    nn.functional.cross_entropy(output.logits, data.labels).backward()
    before = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    method.after_backward(output, data)
    return method, before, dict(net.named_parameters())


def test_encoders_are_scaled_and_nothing_else():
    method, before, after = gradients({"dominant": 2.0, "others": 0.5})
    for name, gradient in before.items():
        factor = {"audio": 2.0, "video": 0.5}.get(name.split(".")[1], 1.0)
        factor = factor if name.startswith("encoders") else 1.0
        assert torch.equal(after[name].grad, factor * gradient), name
    row = method.on_epoch_end(1, {})
    assert row == {
        "coefficient_audio": 2.0,
        "coefficient_video": 0.5,
        "alone_audio": 1.0,
        "alone_video": 0.0,
    }


def test_factors_of_one_leave_every_bit_as_it_is():
    _, before, after = gradients({"dominant": 1.0, "others": 1.0})
    assert all(torch.equal(after[name].grad, value) for name, value in before.items())
