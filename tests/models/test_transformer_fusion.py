"""The fusion of SimBaMM: its size, its positions, and a modality that is absent or masked."""

import math

import pytest
import torch
from torch import nn

from equipoise.models.fusion import Simbamm
from equipoise.models.fusion.transformer import Size, fitting_heads, positions

NAMES = ["audio", "flow", "text"]


def features(width=8, count=4):
    generator = torch.Generator().manual_seed(0)
    return {m: torch.randn(count, width, generator=generator) for m in NAMES}


def fusion(width=8, size=None):
    torch.manual_seed(1)
    made = Simbamm(NAMES, width, 3).eval()
    if size is not None:
        made.resize(size)
        made.eval()
    return made


def test_the_number_of_parameters_for_cremad_by_hand():
    """4 d^2 + 4 d of attention, 2 d f + f + d of feed-forward, 4 d of both normalisations."""
    d, f, layers, classes = 512, 256, 4, 6
    each = 4 * d * d + 4 * d + 2 * d * f + f + d + 4 * d
    assert each == 1_315_584
    made = Simbamm(["audio", "video"], d, classes)
    found = sum(p.numel() for p in made.parameters())
    assert found == layers * each + d + (d * classes + classes) == 5_265_926


def test_positions_by_hand():
    found = positions(3, 6)
    assert found[0].tolist() == [0, 1, 0, 1, 0, 1]
    assert found[1, :2].tolist() == pytest.approx([0.8414709848078965, 0.5403023058681398])
    assert float(found[2, 2]) == pytest.approx(math.sin(2 / 10000 ** (2 / 6)))
    assert positions(2, 5).shape == (2, 5)


@pytest.mark.parametrize(
    ("features", "heads", "fits"), [(512, 8, 8), (12, 8, 6), (5, 8, 5), (7, 4, 1)]
)
def test_the_heads_divide_the_features(features, heads, fits):
    assert fitting_heads(features, heads) == fits


@pytest.mark.parametrize("absent", NAMES)
def test_an_absent_modality_is_what_a_masked_token_is(absent):
    """Attention over all tokens, one of them masked, as in the authors' code."""
    net, x = fusion(), features()
    tokens = torch.stack([net.cls.expand(4, -1), *x.values()], dim=1) + positions(4, 8)
    mask = torch.tensor([False, *(m == absent for m in NAMES)]).expand(4, -1)
    expected = net.classifier(net.transformer(tokens, src_key_padding_mask=mask)[:, 0])
    present = {m: h for m, h in x.items() if m != absent}
    got = net({**present, absent: torch.zeros(4, 8)}, present)
    torch.testing.assert_close(got, expected)
    other = net({**present, absent: 5 * torch.ones(4, 8)}, present)
    assert torch.equal(got, other)
    assert not torch.allclose(got, net(x, x), atol=1e-4)


def test_one_modality_alone_works_and_evaluation_draws_nothing():
    net, x = fusion(), features()
    alone = {"flow": x["flow"]}
    first = net(x, alone)
    assert first.shape == (4, 3) and torch.equal(first, net(x, alone))
    only = Simbamm(["flow"], 8, 3)
    assert only(alone, alone).shape == (4, 3)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_it_has_a_second_derivative_in_either_mode(dropout):
    """lfm-learned takes it in evaluation mode, where fused kernels would be used."""
    net, x = fusion(size=Size(layers=1, feedforward=12, heads=2, dropout=dropout)), features()
    parameters = list(net.parameters())
    for mode in (False, True):
        loss = net.train(mode)(x, x).square().sum()
        first = torch.autograd.grad(loss, parameters, create_graph=True)
        torch.autograd.grad(sum(g.square().sum() for g in first), parameters)


def test_one_layer_by_its_formula():
    """Post-norm: x <- norm(x + attention(x)), x <- norm(x + W2 relu(W1 x))."""
    net, x = fusion(size=Size(layers=1, feedforward=12, heads=2, dropout=0.0)), features()
    layer = net.transformer.layers[0]
    h = torch.stack([net.cls.expand(4, -1), *x.values()], dim=1) + positions(4, 8)
    q, k, v = (h @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias).split(8, dim=2)
    mixed = []
    for part in (slice(0, 4), slice(4, 8)):
        scores = q[..., part] @ k[..., part].transpose(1, 2) / 2  # sqrt of 4, the width of a head
        mixed.append(scores.softmax(dim=2) @ v[..., part])
    attended = layer.self_attn.out_proj(torch.cat(mixed, dim=2))
    h = nn.functional.layer_norm(h + attended, (8,), layer.norm1.weight, layer.norm1.bias)
    hidden = torch.relu(h @ layer.linear1.weight.T + layer.linear1.bias)
    h = h + hidden @ layer.linear2.weight.T + layer.linear2.bias
    h = nn.functional.layer_norm(h, (8,), layer.norm2.weight, layer.norm2.bias)
    expected = h[:, 0] @ net.classifier.weight.T + net.classifier.bias
    torch.testing.assert_close(net(x, x), expected)


def test_another_size_keeps_class_token_and_classifier():
    net = fusion()
    kept = net.cls.detach().clone(), net.classifier.weight.detach().clone()
    net.resize(Size(layers=2, feedforward=20, heads=4, dropout=0.1))
    assert torch.equal(net.cls, kept[0]) and torch.equal(net.classifier.weight, kept[1])
    assert len(net.transformer.layers) == 2
    assert net.transformer.layers[1].linear1.weight.shape == (20, 8)
