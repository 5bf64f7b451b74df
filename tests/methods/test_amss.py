"""AMSS: rates and shares by hand, draws against their probabilities, what a step masks."""

import itertools
import math

import numpy as np
import pytest
import torch
from small import batch32, mixed, model32

from equipoise.methods.amss.masks import drawn_units, importance, spread, unit_energies
from equipoise.methods.amss.rates import (
    feature_entropy,
    information,
    label_entropy,
    label_frequencies,
    moving_shares,
    released_label_entropy,
    released_shares,
)
from equipoise.methods.base import create
from equipoise.params import Train
from equipoise.training.run import Run, make_optimizer

THREE = ("audio", "image", "video")


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_shares_by_hand():
    u = t(0.5, 0.3)
    assert moving_shares(u, 0.25).tolist() == pytest.approx([0.3100255189, 0.6899744811])
    assert moving_shares(u, 0.2).tolist() == pytest.approx([0.2689414214, 0.7310585786])
    assert moving_shares(t(0.4, 0.4), 0.2).tolist() == [0.5, 0.5]
    assert float(moving_shares(t(0.1, 0.5, 0.2), 0.25).sum()) == pytest.approx(2)


def test_shares_of_the_released_code_have_limits_and_a_way_out():
    gains = t(0.5, 0.3)
    assert released_shares(gains, t(0.5, 0.3), 0.2).tolist() == pytest.approx(
        [0.2689414214, 0.7310585786]
    )
    assert released_shares(gains, t(9.0, 0.0), 0.2).tolist() == pytest.approx([0.1, 0.9])
    assert released_shares(t(0.5, -0.1), t(9.0, 0.0), 0.2).tolist() == [0.5, 0.5]
    three = released_shares(t(0.5, -0.1, 1.0), t(9.0, 0.0, 1.0), 0.2)
    assert three.tolist() == pytest.approx([2 / 3] * 3)


def test_entropies_by_hand():
    f = label_frequencies(torch.tensor([0, 0, 1, 2]), 3)
    assert f.tolist() == [0.5, 0.25, 0.25]
    assert float(label_entropy(f)) == pytest.approx(1.0397207708)
    assert float(released_label_entropy(f)) == pytest.approx(1.0640699311)
    assert float(feature_entropy(torch.zeros(5, 8))) == pytest.approx(math.log(8))
    h = torch.tensor([[0.0, math.log(3)]])
    assert float(feature_entropy(h)) == pytest.approx(
        -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    )


@pytest.mark.parametrize("released", [False, True])
def test_information_of_a_modality_by_numpy(released):
    generator = np.random.default_rng(0)
    z, h = generator.normal(size=(2, 6, 3)), generator.normal(size=(2, 6, 4))
    y = np.array([0, 0, 1, 2, 0, 1])
    f = np.array([3, 2, 1]) / 6
    label = -(f * np.log(f)).sum()
    if released:
        label = -(f * (f - np.log(np.exp(f).sum()))).sum() + 0.5
    expected = []
    for k in range(2):
        ce = np.mean([np.log(np.exp(z[k, i]).sum()) - z[k, i, y[i]] for i in range(6)])
        q = np.exp(h[k]) / np.exp(h[k]).sum(1, keepdims=True)
        expected.append((label - ce, (label - ce) / -(q * np.log(q)).sum(1).mean()))
    gains, rates = information(
        dict(zip("av", torch.from_numpy(z), strict=True)),
        dict(zip("av", torch.from_numpy(h), strict=True)),
        torch.from_numpy(y),
        released,
    )
    np.testing.assert_allclose(gains, [x for x, _ in expected], rtol=1e-6)
    np.testing.assert_allclose(rates, [x for _, x in expected], rtol=1e-6)


def test_the_factors_of_amss_plus_by_hand():
    g = t(4.0, 2.0, 1.0, 1.0)
    assert importance(g, "inverse_n").tolist() == pytest.approx(
        [1.3333, 2, 2.6667, 2.6667], abs=1e-4
    )
    assert importance(g, "n").tolist() == pytest.approx([0.2222, 0.2353, 0.2424, 0.2424], abs=1e-4)
    assert importance(torch.zeros(4), "inverse_n").tolist() == [4, 4, 4, 4]


def test_energies_are_those_of_the_output_channels():
    gradient = torch.arange(24.0).reshape(2, 3, 2, 2)
    assert unit_energies(gradient).tolist() == [
        sum(n * n for n in range(12)),
        sum(n * n for n in range(12, 24)),
    ]
    assert spread(torch.ones(2), gradient).shape == (2, 1, 1, 1)


def pair_probabilities(p):
    """Two units drawn one after the other without replacement, as sets."""
    found = {}
    for i, j in itertools.permutations(range(len(p)), 2):
        key = frozenset((i, j))
        found[key] = found.get(key, 0) + p[i] * p[j] / (1 - p[i])
    return found


def test_units_are_drawn_by_their_energy_without_replacement():
    torch.manual_seed(0)
    energies, draws = torch.tensor([4.0, 2.0, 1.0, 1.0]), 20_000
    counts = {}
    for _ in range(draws):
        key = frozenset(drawn_units(energies, torch.tensor(0.5)).nonzero()[:, 0].tolist())
        counts[key] = counts.get(key, 0) + 1
    expected = pair_probabilities([0.5, 0.25, 0.125, 0.125])
    assert counts.keys() == expected.keys()
    for key, p in expected.items():
        spread_ = math.sqrt(p * (1 - p) / draws)
        assert abs(counts[key] / draws - p) < 5 * spread_, key


@pytest.mark.parametrize(("share", "number"), [(0.0, 0), (0.31, 2), (0.5, 2), (0.51, 3), (1.0, 4)])
def test_as_many_units_are_drawn_as_the_share_says_rounded_up(share, number):
    drawn = drawn_units(torch.tensor([4.0, 2.0, 1.0, 1.0]), torch.tensor(share))
    assert int(drawn.sum()) == number


def test_units_without_energy_come_last():
    drawn = drawn_units(torch.tensor([0.0, 3.0, 0.0, 1e-20]), torch.tensor(0.5))
    assert drawn.tolist() == [False, True, False, True]
    assert int(drawn_units(torch.zeros(4), torch.tensor(0.5)).sum()) == 2


def step(net, data, variant="amss", **options):
    train = Train(optimizer="sgd")
    optimizer = make_optimizer(list(net.parameters()), train)
    method = create(f"amss-{variant}", options)
    method.attach(net, {})
    method.setup(Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 1))
    method.on_epoch_start(1)
    net.zero_grad(set_to_none=True)
    output = net(data.inputs, detach_heads=True)
    method.loss(output, data).backward()
    before = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    method.after_backward(output, data)
    after = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    return before, after, method.on_epoch_end(1, {})


@pytest.mark.parametrize("names", [("audio", "video"), THREE])
@pytest.mark.parametrize("variant", ["amss", "amss_plus"])
def test_a_step_masks_rows_of_the_encoders_and_nothing_else(names, variant):
    torch.manual_seed(1)
    net, data = model32(modalities=names), batch32(names)
    before, after, row = step(net, data, variant)
    alone = {m: net({m: x}).logits.detach() for m, x in data.inputs.items()}
    features = {m: h.detach() for m, h in net(data.inputs).features.items()}
    rho = moving_shares(information(alone, features, data.labels, False)[1], 0.25)
    for m, share in zip(names, rho.tolist(), strict=True):
        assert row[f"share_{m}"] == pytest.approx(share, rel=1e-4)
        old, new = before[f"encoders.{m}.weight"], after[f"encoders.{m}.weight"]
        kept = new.abs().sum(dim=1) > 0
        assert int(kept.sum()) == math.ceil(share * 4 - 1e-6)
        energies = old.square().sum(dim=1)
        factor = (
            1 / (energies / energies.sum() + 0.25) if variant == "amss_plus" else 1 + 0 * energies
        )
        torch.testing.assert_close(new[kept], (factor[:, None] * old)[kept])
    for n in before:
        if not (n.startswith("encoders.") and n.endswith("weight")):
            assert torch.equal(before[n], after[n])


def test_the_released_code_masks_output_channels_of_convolutions_alone():
    torch.manual_seed(1)
    net, data = mixed()
    before, after, row = step(net, data, rates="released_code", units="conv")
    changed = {n for n in before if not torch.equal(before[n], after[n])}
    assert changed <= {"encoders.image.0.weight"}
    kept = after["encoders.image.0.weight"].flatten(1).abs().sum(dim=1) > 0
    assert int(kept.sum()) == math.ceil(row["share_image"] * 5 - 1e-6)
    assert 0.1 <= row["share_image"] <= 0.9


def test_rates_are_smoothed_from_the_second_step_on():
    net, data = model32(), batch32()
    train = Train(optimizer="sgd")
    optimizer = make_optimizer(list(net.parameters()), train)
    method = create("amss", {"smoothing": 0.75})
    method.attach(net, {})
    method.setup(Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 1))
    first_output = net(data.inputs)
    with torch.no_grad():
        method._shares(first_output, data)
        first = method._rates.clone()
        other = batch32()
        other.labels = other.labels.flip(0)
        method._shares(first_output, other)
        alone = {m: net({m: x}).logits for m, x in data.inputs.items()}
        second = information(alone, first_output.features, other.labels, False)[1]
    torch.testing.assert_close(method._rates, 0.75 * first + 0.25 * second)
    assert not torch.allclose(first, second)
