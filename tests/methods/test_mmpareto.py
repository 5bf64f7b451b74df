"""MMPareto: min-norm against a grid, the step against gradients taken one by one."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from small import batch, mixed, model
from torch import nn

from equipoise.methods.base import create
from equipoise.methods.mmpareto.method import combine, min_norm_weight, weights
from equipoise.methods.modulation import cosine
from equipoise.modalities.base import Input
from equipoise.models.build import build_model
from equipoise.params import Encoder, Train
from equipoise.training.run import Run, make_optimizer


def drawn(seed, factor=1.0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(3, 4), (5,)]
    return [factor * torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]


def flat(gradients):
    return np.concatenate([g.detach().numpy().ravel() for g in gradients])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("factor", [0.05, 1.0, 20.0])
def test_the_min_norm_weight_is_the_best_of_a_grid(seed, factor):
    a, b = drawn(seed), drawn(seed + 50, factor)
    got = float(min_norm_weight(a, b))
    grid = np.linspace(0, 1, 20001)
    x, y = flat(a), flat(b)
    lengths = grid**2 * (x @ x) + 2 * grid * (1 - grid) * (x @ y) + (1 - grid) ** 2 * (y @ y)
    assert got == pytest.approx(grid[lengths.argmin()], abs=1e-4)
    assert float(min_norm_weight(b, a)) == pytest.approx(1 - got, abs=1e-12)


def test_min_norm_by_hand_inside_at_the_ends_and_of_equal_gradients():
    e = [torch.tensor([1.0, 0.0])]
    assert float(min_norm_weight(e, [torch.tensor([0.0, 1.0])])) == 0.5
    assert float(min_norm_weight(e, [torch.tensor([-3.0, 0.0])])) == 0.75
    assert float(min_norm_weight(e, [torch.tensor([2.0, 0.0])])) == 1
    assert float(min_norm_weight([torch.tensor([2.0, 0.0])], e)) == 0
    assert float(min_norm_weight(e, e)) == 0.5
    assert float(min_norm_weight([torch.zeros(2)], [torch.zeros(2)])) == 0.5


def test_weights_are_equal_without_a_conflict_and_min_norm_with_one():
    e = [torch.tensor([1.0, 0.0])]
    weight, angle = weights(e, [torch.tensor([3.0, 4.0])])
    assert float(weight) == 0.5 and float(angle) == pytest.approx(0.6)
    assert float(weights(e, [torch.tensor([0.0, 9.0])])[0]) == 0.5
    conflict = [torch.tensor([-1.2, 1.6])]
    weight, angle = weights(e, conflict)
    # (|b|^2 - ab) / (|a|^2 - 2ab + |b|^2) = 5.2 / 7.4
    assert float(weight) == pytest.approx(5.2 / 7.4) and float(angle) == pytest.approx(-0.6)
    assert float(cosine(e, [torch.zeros(2)])) == 0


@pytest.mark.parametrize("seed", range(20))
def test_in_a_conflict_the_combination_is_worse_for_neither_loss(seed):
    a, b = drawn(seed), drawn(seed + 100, 3.0)
    b = [y - 2 * abs(float(cosine(a, b))) * x for x, y in zip(a, b, strict=True)]
    weight, angle = weights(a, b)
    mixed = float(weight) * flat(a) + (1 - float(weight)) * flat(b)
    if angle < 0:
        assert mixed @ flat(a) >= -1e-12 and mixed @ flat(b) >= -1e-12


def test_the_length_by_hand():
    a, b, half = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0]), torch.tensor(0.5)
    torch.testing.assert_close(combine(a, b, half, 1.5), torch.tensor([4.5, 6.0]))
    # 2 (0.9 a + 0.1 b) = (5.4, 0.8) is longer than a + b: left as it is
    torch.testing.assert_close(combine(a, b, torch.tensor(0.9), 1.0), torch.tensor([5.4, 0.8]))
    # a = (1, 0), b = (-1.2, 1.6): mixed = 2 (w - 1.2 (1 - w), 1.6 (1 - w)), |a + b| = sqrt(2.6)
    got = combine(torch.tensor([1.0, 0.0]), torch.tensor([-1.2, 1.6]), torch.tensor(0.7), 2.0)
    direction = np.array([0.7 - 0.36, 0.48])
    expected = 2 * np.sqrt(0.04 + 2.56) * direction / np.linalg.norm(direction)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5)
    assert not combine(torch.zeros(2), torch.zeros(2), half, 1.5).any()
    one, three = torch.tensor([1.0]), torch.tensor([-3.0])
    assert combine(one, three, min_norm_weight([one], [three]), 1.5).item() == 0


def one_by_one(net, data, of):
    """Return the gradient of the loss ``of(output)`` for each parameter."""
    net.zero_grad()
    of(net(data.inputs)).backward()
    return {
        n: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for n, p in net.named_parameters()
    }


def joint_ce(labels):
    return lambda output: nn.functional.cross_entropy(output.logits, labels)


def head_ce(labels, m):
    return lambda output: nn.functional.cross_entropy(output.modality_logits[m], labels)


def step(net, data, gamma):
    """Do one step of SGD with learning rate 1; return the gradients it used."""
    train = Train(optimizer="sgd", learning_rate=1.0, momentum=0.0, weight_decay=0.0)
    optimizer = make_optimizer(list(net.parameters()), train)
    run = Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 1)
    method = create("mmpareto", {"gamma": gamma})
    method.attach(net, {})
    method.setup(run)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    method.train_step(data)
    used = {name: before[name] - p.detach() for name, p in net.named_parameters()}
    for name, p in net.named_parameters():
        p.data = before[name]
    return used, method


def linear(*names):
    return model(modalities=names), batch(names)


def transformer():
    net, data = mixed()
    return net.double(), replace(data, inputs={m: x.double() for m, x in data.inputs.items()})


@pytest.mark.parametrize(
    "made",
    [
        partial(linear, "video"),
        partial(linear, "audio", "video"),
        partial(linear, "audio", "image", "video"),
        transformer,
    ],
    ids=["1", "2", "3", "convolution and transformer"],
)
def test_the_step_uses_the_definition_on_gradients_taken_one_by_one(made):
    conflicts = 0
    for seed in range(4):
        net, data = made()
        names = net.modalities
        with torch.no_grad():
            for p in net.parameters():
                generator = torch.Generator().manual_seed(seed + p.numel())
                p.copy_(torch.randn(p.shape, generator=generator))
        used, method = step(net, data, gamma=1.5)

        joint = one_by_one(net, data, joint_ce(data.labels))
        alone = {m: one_by_one(net, data, head_ce(data.labels, m)) for m in names}
        for m in names:
            parts = [n for n in joint if n.startswith(f"encoders.{m}.")]
            x, y = (flat([g[n] for n in parts]) for g in (joint, alone[m]))
            w = 0.5
            if x @ y < 0:
                conflicts += 1
                w = (y @ (y - x)) / ((x - y) @ (x - y))
            for n in parts:
                g = 2 * (w * joint[n] + (1 - w) * alone[m][n])
                factor = max(1.0, float((joint[n] + alone[m][n]).norm() / g.norm()))
                torch.testing.assert_close(used[n], 1.5 * factor * g, rtol=1e-5, atol=1e-9)
            for n in joint:
                if n.startswith(f"heads.{m}."):
                    torch.testing.assert_close(used[n], alone[m][n], rtol=1e-5, atol=1e-9)
        for n in joint:
            if n.startswith("fusion."):
                torch.testing.assert_close(used[n], joint[n], rtol=1e-5, atol=1e-9)
        report = method.on_epoch_end(1, {})
        assert set(report) == {f"gradient_{w}_{m}" for w in ("cosine", "conflict") for m in names}
        assert all(-1 <= value <= 1 for value in report.values())
    if len(names) > 1:
        assert conflicts > 0, "no conflict was tried"


def test_convolutions_without_conflict_and_gamma_one_step_like_joint_with_trained_heads():
    torch.manual_seed(0)
    net = build_model(
        {"audio": Input("spectrogram", (9, 8)), "image": Input("pictures", (1, 3, 12, 12))},
        {"audio": Encoder(name="conv_spectrogram"), "image": Encoder(name="conv_frames")},
        "late",  # here joint and unimodal losses pull the same way for one sample
        8,
        3,
    )
    from equipoise.methods.base import Batch

    inputs = {"audio": torch.randn(1, 9, 8), "image": torch.randn(1, 3, 12, 12)[:, None]}
    data = Batch(inputs, torch.tensor([1]), torch.tensor([0]))
    net.eval()
    used, method = step(net, data, gamma=1.0)
    assert not any(v for k, v in method.on_epoch_end(1, {}).items() if "conflict" in k)
    net.zero_grad()
    output = net(inputs)
    reference = create("joint", {"heads": "trained"})
    reference.loss(output, data).backward()
    for name, p in net.named_parameters():
        torch.testing.assert_close(used[name], p.grad, rtol=1e-4, atol=1e-6)
