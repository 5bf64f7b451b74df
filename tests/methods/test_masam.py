"""MASAM: scores and perturbations by worked values, and what one step does to each encoder."""

import pytest
import torch
from small import batch, mixed, model
from torch import nn

from equipoise.methods.base import create
from equipoise.methods.masam.method import moved
from equipoise.methods.masam.perturbation import (
    cosines,
    decay,
    moved_average,
    perturbation,
    released_perturbation,
    score,
)
from equipoise.methods.modulation import cosine
from equipoise.params import Train
from equipoise.training.run import Run, make_optimizer


def tensors(*values):
    return [torch.tensor(value, dtype=torch.float64) for value in values]


U, G = tensors([3.0, 4.0], [1.0, 0.0]), tensors([4.0, 3.0], [-1.0, 1.0])


def flat(parts):
    return torch.cat(parts).tolist()


def test_the_papers_perturbation():
    assert float(cosine(G, U)) == pytest.approx(0.8680790595108567)
    assert flat(perturbation(G, U, 0.3)) == pytest.approx(
        [0.2004742714745881, 0.15035570360594108, -0.050118567868647025, 0.050118567868647025]
    )
    backwards = perturbation(G, [-u for u in U], 0.3)
    assert flat(backwards) == pytest.approx([-x for x in flat(perturbation(G, U, 0.3))])
    nothing = [torch.zeros_like(g) for g in G]
    assert not any(map(torch.any, perturbation(nothing, U, 0.3)))


def test_the_released_perturbation():
    assert cosines(G, U).tolist() == pytest.approx([0.96, -0.7071067811865475])
    assert flat(released_perturbation(G, U, 0.3)) == pytest.approx(
        [0.23021590088945426, 0.17266192566709068, -0.05995205752329538, 0.05995205752329538]
    )
    # The cosine of the last tensor, positive now: 0.3 * 0.6 * g / |g|, as u lies along g.
    g, u = tensors([3.0, 4.0]), tensors([5.0, 0.0])
    assert flat(released_perturbation(g, u, 0.3)) == pytest.approx([0.6 * 0.18, 0.8 * 0.18])


def test_decay_lags_behind_a_falling_loss():
    losses = [torch.tensor([value], dtype=torch.float64) for value in (1.0, 0.8, 0.7)]
    first = moved_average(losses[0], losses[1], 0.9)
    second = moved_average(first, losses[2], 0.9)
    assert (float(first), float(second)) == (pytest.approx(0.98), pytest.approx(0.952))
    assert float(decay(losses[0], first)) == pytest.approx(0.02)
    assert float(decay(losses[1], second)) == 0.0
    assert float(score(torch.tensor(0.5), torch.tensor(-1.0), 0.8)) == pytest.approx(0.2)


def test_a_perturbed_module_is_put_back_to_the_bit():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    steps = {parameter: torch.full_like(parameter, 1e-3) for parameter in module.parameters()}
    with moved(module, steps):
        module(torch.randn(5, 3))
        assert not torch.equal(module[0].weight, before["0.weight"])
        assert int(module[1].num_batches_tracked) == 1
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def step(key, options, net=None, data=None):
    """One step of SGD with learning rate 1: (method, weights before, gradients that it used)."""
    net, data = net or model(), data or batch()
    train = Train(optimizer="sgd", learning_rate=1.0, momentum=0.0, weight_decay=0.0)
    optimizer = make_optimizer(list(net.parameters()), train)
    run = Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 1)
    method = create(key, options)
    method.attach(net, {})
    method.setup(run)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    method.train_step(data)
    return method, before, {n: before[n] - p.detach() for n, p in net.named_parameters()}


def gradients(net, data, weights, heads):
    """Of the fused loss plus ``heads`` times the unimodal losses, at ``weights``."""
    net.load_state_dict(net.state_dict() | weights)
    net.zero_grad()
    output = net(data.inputs)
    loss = nn.functional.cross_entropy(output.logits, data.labels)
    for z in output.modality_logits.values():
        loss = loss + heads * nn.functional.cross_entropy(z, data.labels)
    loss.backward()
    return {
        n: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for n, p in net.named_parameters()
    }


@pytest.mark.parametrize("key", ["masam-paper", "masam-released_code"])
def test_without_a_perturbation_it_is_training_on_the_whole_loss(key):
    data = batch()
    _, before, used = step(key, {"rho": 0.0, "unimodal_weight": 0.5})
    plain = gradients(model(), data, before, 0.5)
    for name, gradient in plain.items():
        torch.testing.assert_close(used[name], gradient)


def test_the_paper_takes_the_fused_gradient_at_the_perturbed_point_for_one_encoder():
    data, rho = batch(), 0.3
    method, before, used = step("masam-paper", {"rho": rho, "decay_share": 0.0})
    net = model()
    joint, whole = gradients(net, data, before, 0.0), gradients(net, data, before, 1.0)
    names = {m: [n for n in joint if n.startswith(f"encoders.{m}.")] for m in net.modalities}
    g = {m: [joint[n] for n in ns] for m, ns in names.items()}
    u = {m: [whole[n] - joint[n] for n in ns] for m, ns in names.items()}
    angle = {m: float(cosine(g[m], u[m])) for m in names}
    best = max(angle, key=angle.get)
    row = method.on_epoch_end(1, {})
    for m in names:
        assert row[f"sharpness_alignment_{m}"] == pytest.approx(angle[m])
        assert row[f"sharpness_dominant_{m}"] == (m == best)
    # eps by its definition: rho * cosine * g / |g|, worked out on one long vector.
    long = torch.cat([x.flatten() for x in g[best]])
    scale = rho * angle[best] / long.norm()
    there = {n: before[n] + scale * joint[n] for n in names[best]}
    at_eps = gradients(net, data, before | there, 0.0)
    for name, gradient in whole.items():
        expected = at_eps[name] + whole[name] - joint[name] if name in there else gradient
        torch.testing.assert_close(used[name], expected, rtol=1e-6, atol=1e-9)


def test_the_released_code_takes_the_whole_gradient_there_for_all_encoders():
    data, rho = batch(), 0.3
    _, before, used = step("masam-released_code", {"rho": rho, "every_encoder": True})
    net = model()
    joint, whole = gradients(net, data, before, 0.0), gradients(net, data, before, 1.0)
    there = {}
    for m in net.modalities:
        names = [n for n in joint if n.startswith(f"encoders.{m}.")]
        u = [whole[n] - joint[n] for n in names]
        steps = released_perturbation([joint[n] for n in names], u, rho)
        there |= {n: before[n] + eps for n, eps in zip(names, steps, strict=True)}
    at_eps = gradients(net, data, before | there, 1.0)
    for name, gradient in whole.items():
        expected = at_eps[name] if name in there else gradient
        torch.testing.assert_close(used[name], expected, rtol=1e-6, atol=1e-9)


def test_the_second_pass_leaves_batch_statistics_alone():
    def after(key, options):
        net, data = mixed()
        step(key, options, net, data)
        return dict(net.named_buffers())

    once, twice = after("joint", {"heads": "trained"}), after("masam", {})
    assert once and all(torch.equal(value, twice[name]) for name, value in once.items())
