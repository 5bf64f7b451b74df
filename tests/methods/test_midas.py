"""MIDAS by hand on two samples, its weights, and its control without them."""

import math
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from small import batch32, model32
from torch.nn.functional import cross_entropy

from equipoise.errors import UserError
from equipoise.methods import pairing
from equipoise.methods.base import create
from equipoise.methods.featuremix.method import blended
from equipoise.methods.midas import method as midas
from equipoise.methods.midas.method import (
    Mixtures,
    falls_behind,
    mixtures_loss,
    ratio_of_use,
    shares,
    under_use,
)


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


PARTNER, LABELS = torch.tensor([1, 0]), torch.tensor([0, 1])
SURE = {"a": t(0.8, 0.6), "v": t(0.2, 0.5)}
#: cos((1, 0), (.6, .8)) = .6 and cos((1, 1), (1, -1)) = 0, the same both ways.
LOGITS = {"v": t((1, 0, 0), (0, 1, 0.5)), "a": t((0.2, 0.6, 0), (0.5, 0.5, 0))}
LIKENESS = {"v": t(0.6, 0.6), "a": t(0.0, 0.0)}


def sets():
    """Set 1 replaces v, set 2 replaces a."""
    return [
        Mixtures(
            logits=LOGITS[m],
            labels=pairing.repaired(dict.fromkeys("av", LABELS), PARTNER, [m]),
            shares=shares(pairing.repaired(SURE, PARTNER, [m])),
            likeness=LIKENESS[m],
            replaced=m,
        )
        for m in ("v", "a")
    ]


def test_the_shares_of_two_samples_by_hand():
    one, two = (mix.shares for mix in sets())
    assert one["a"].tolist() == pytest.approx([0.8 / 1.3, 0.6 / 0.8])
    assert two["a"].tolist() == pytest.approx([0.6 / 0.8, 0.8 / 1.3])
    for share in (one, two):
        assert (share["a"] + share["v"]).tolist() == pytest.approx([1, 1])


def test_the_loss_of_two_samples_by_hand():
    """Factors 1.8 and 1.5; l = (.9957310491, .9722764124) and (.9270438848, .9948670144)."""
    found = mixtures_loss(sets(), {"a": t(1.0)[0], "v": t(1.1)[0]})
    one = [1.8 * 0.9957310491, 1.8 * 0.9722764124]
    two = [1.5 * 0.9270438848, 1.5 * 0.9948670144]
    expected = [(a + b) / 2 for a, b in zip(one, two, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-8)
    assert found.mean().item() == pytest.approx(1.6063199449, abs=1e-9)


def test_the_weight_of_the_weak_modality_moves_as_the_released_code_has_it():
    """mean(c_a) / mean(c_v) = .7 / .35 = 2; the fused model's ratio is 1.97: v has its share."""
    first, second = torch.tensor(0), torch.tensor(1)
    assert ratio_of_use(sets(), first, second).item() == pytest.approx(1.9674675576, abs=1e-9)
    assert not falls_behind(sets(), t(0.7, 0.35))
    assert falls_behind(sets(), t(0.7, 0.36))  # 1.94: the fused model leans on a more than that
    assert not falls_behind(sets(), t(0.35, 0.7))  # a is weak, and has more than its share


def test_the_weight_of_the_weak_modality_moves_as_the_paper_has_it():
    both, only = torch.tensor([True, True]), torch.tensor([True, False])
    delta = under_use(sets(), torch.tensor(1), both)
    assert delta.item() == pytest.approx(-0.0424911034, abs=1e-9)
    assert 1.1 + 0.05 * delta.item() == pytest.approx(1.0978754448, abs=1e-9)
    mirrored = under_use(sets(), torch.tensor(0), both)
    assert mirrored.item() == pytest.approx(-delta.item()), "shares and parts of two add up to 1"
    first = ((0.5 / 1.3 - 1 / (1 + math.e)) + (0.2 / 0.8 - 1 / (1 + math.exp(0.4)))) / 2
    assert under_use(sets(), torch.tensor(1), only).item() == pytest.approx(first)
    assert under_use(sets(), torch.tensor(1), ~both).item() == 0.0


def test_a_mixture_that_is_sure_of_a_third_class_moves_the_weight_by_a_number():
    """The softmax of both its labels is 0 there; the weight was NaN from then on."""
    logits = torch.tensor([[0.0, 1.0, 500.0]])
    labels = {"a": torch.tensor([0]), "v": torch.tensor([1])}
    half = dict.fromkeys(labels, torch.tensor([0.5]))
    mix = Mixtures(logits, labels, half, torch.tensor([1.0]), "v")
    delta = under_use([mix], torch.tensor(1), torch.tensor([True]))
    assert delta.item() == pytest.approx(0.5 - math.e / (1 + math.e))


def started(key, net=None, epoch=2, **options):
    net = net or model32()
    plugin = create(key, {"warmup_epochs": 1, **options})
    plugin.attach(net, {})
    run = SimpleNamespace(model=net, autocast=nullcontext, device=torch.device("cpu"))
    run.first_epoch, run.last_epoch = 1, 4
    plugin.setup(run)
    plugin.on_epoch_start(epoch)
    return plugin


KEYS = ["midas-paper", "midas-released_code", "featuremix-swap", "featuremix-mixup"]


@pytest.mark.parametrize("key", KEYS)
def test_the_warm_up_trains_the_heads_alone_and_is_never_kept(key):
    plugin, data = started(key, epoch=1), batch32()
    plan = plugin.on_epoch_start(1)
    assert (plan.phase, plan.selectable) == ("warm-up", False)
    assert plugin.on_epoch_start(2).selectable and plugin.on_epoch_start(2).phase is None
    plugin.on_epoch_start(1)
    output = plugin.model(data.inputs)
    heads = sum(cross_entropy(z, data.labels) for z in output.modality_logits.values())
    scale = 0.5 if key == "midas-released_code" else 1.0
    assert plugin.loss(output, data).item() == pytest.approx(scale * heads.item())


@pytest.mark.parametrize("key", KEYS)
def test_without_weight_the_loss_is_that_of_the_fusion_and_the_heads(key):
    plugin, data = started(key, weight=0.0), batch32()
    output = plugin.model(data.inputs)
    heads = sum(cross_entropy(z, data.labels) for z in output.modality_logits.values())
    scale = 0.5 if key == "midas-released_code" else 1.0
    expected = cross_entropy(output.logits, data.labels) + scale * heads
    assert plugin.loss(output, data).item() == pytest.approx(expected.item())


def test_a_warm_up_that_leaves_no_epoch_is_refused():
    with pytest.raises(UserError, match=r"warmup_epochs \(4\) leaves none of the 4 epochs"):
        started("midas-paper", warmup_epochs=4)


def by_hand(plugin, output, labels, partner, weights, valid):
    """The loss of the mixtures of two modalities, sample by sample."""
    model, total = plugin.model, 0.0
    names, p = list(output.features), {}
    for m, z in output.modality_logits.items():
        p[m] = z.detach().softmax(1)[range(len(labels)), labels].tolist()
    for replaced in names:
        for i, j in enumerate(partner.tolist()):
            source = {m: j if m == replaced else i for m in names}
            features = {m: output.features[m][[source[m]]] for m in names}
            log_p = model.classify(features).logits.log_softmax(1)[0].tolist()
            c = {m: p[m][source[m]] for m in names}
            loss = sum(
                -weights[m] * c[m] / sum(c.values()) * log_p[labels[source[m]]] for m in names
            )
            one, two = (output.features[replaced][k].tolist() for k in (i, j))
            dot = sum(x * y for x, y in zip(one, two, strict=True))
            cosine = dot / math.hypot(*one) / math.hypot(*two)
            total += (1 + (cosine + 1) / 2) * loss * bool(valid[i])
    return total / len(names) / len(labels)


@pytest.mark.parametrize("variant", ["paper", "released_code"])
@pytest.mark.parametrize("modalities", [("audio", "video"), ("audio", "image", "video")])
def test_the_plug_in_computes_what_the_equations_say_sample_by_sample(
    variant, modalities, monkeypatch
):
    plugin, data = started(f"midas-{variant}", model32(modalities=modalities)), batch32(modalities)
    partner, valid = torch.tensor([1, 2, 0, 4, 5, 3]), torch.tensor([True] * 5 + [False])
    monkeypatch.setattr(midas, "partners_of_other_class", lambda labels: (partner, valid))
    monkeypatch.setattr(midas, "partners", lambda count, device: partner)
    plugin._alpha = torch.full_like(plugin._alpha, 1.7)
    output = plugin.model(data.inputs)
    found = plugin.mixed_loss(output, data.labels).item()
    report = plugin.on_epoch_end(1, {})
    weights = {m: 1.7 if report[f"mean_weak_{m}"] else 1.0 for m in modalities}
    assert sorted(weights.values())[-2:] == [1.0, 1.7]
    assert report["mean_alpha"] == pytest.approx(1.7)
    if variant == "released_code":
        valid = torch.ones(6, dtype=torch.bool)
        sure = {
            m: z.softmax(1)[range(6), data.labels].mean().item()
            for m, z in output.modality_logits.items()
        }
        assert weights[min(sure, key=sure.get)] == 1.7
    expected = by_hand(plugin, output, data.labels, partner, weights, valid)
    assert found == pytest.approx(expected, rel=1e-4)
    moved = (plugin._alpha - 1.7).tolist()
    if variant == "paper":
        assert sum(abs(step) > 1e-9 for step in moved) == 1, "that of the weak modality alone"
    else:
        assert [abs(step) for step in moved] == pytest.approx([0.05] * len(modalities), abs=1e-6)


@pytest.mark.parametrize("variant", ["paper", "released_code"])
def test_alpha_stays_at_one_or_above_and_labels_of_one_class_need_no_shares(variant):
    plugin, data = started(f"midas-{variant}", eta=10.0), batch32()
    for _ in range(6):
        plugin.loss(plugin.model(data.inputs), data)
        assert (plugin._alpha >= 1).all()
    same = torch.zeros(6, dtype=torch.long)
    loss = plugin.mixed_loss(plugin.model(data.inputs), same)
    assert (loss.item() == 0.0) == (variant == "paper"), "nobody has a partner of another class"
    assert torch.isfinite(loss) and torch.isfinite(plugin._alpha).all()


def test_gradients_reach_the_encoders_through_the_fusion_alone():
    """The head of a modality gives shares, which are constants: L_mis does not train it."""
    plugin, data = started("midas-released_code"), batch32()
    plugin.mixed_loss(plugin.model(data.inputs), data.labels).backward()
    groups = plugin.model.groups()
    assert all(p.grad is not None for ps in groups.encoders.values() for p in ps)
    assert all(p.grad is not None for p in groups.fusion)
    assert all(p.grad is None for ps in groups.heads.values() for p in ps)


def test_alpha_is_state():
    one, two, data = started("midas-paper", eta=9.0), started("midas-paper"), batch32()
    one._alpha = one._alpha + 0.5
    one.loss(one.model(data.inputs), data)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one._alpha, two._alpha) and (two._alpha > 1).any()
    assert two.on_epoch_end(1, {}) == one.on_epoch_end(1, {})


def test_a_blend_by_hand():
    found = blended({"a": t((2.0, 0.0), (4.0, 8.0))}, PARTNER, t(0.75)[0])
    assert found["a"].tolist() == [[2.5, 2.0], [3.5, 6.0]]


def test_swapping_shares_the_label_evenly(monkeypatch):
    plugin, data = started("featuremix-swap"), batch32()
    partner = torch.tensor([1, 2, 0, 4, 5, 3])
    monkeypatch.setattr(
        "equipoise.methods.featuremix.method.partners", lambda count, device: partner
    )
    output = plugin.model(data.inputs)
    h, labels, losses = output.features, data.labels, []
    for a, v in ((slice(None), partner), (partner, slice(None))):
        logits = plugin.model.classify({"audio": h["audio"][a], "video": h["video"][v]}).logits
        losses += [cross_entropy(logits, labels) / 2, cross_entropy(logits, labels[partner]) / 2]
    expected = sum(losses).item() / 2
    assert plugin.mixed_loss(output, labels).item() == pytest.approx(expected)


def test_mixup_of_a_sample_with_itself_is_the_sample(monkeypatch):
    plugin, data = started("featuremix-mixup"), batch32()
    monkeypatch.setattr(
        "equipoise.methods.featuremix.method.partners", lambda count, device: torch.arange(6)
    )
    output = plugin.model(data.inputs)
    expected = cross_entropy(output.logits, data.labels).item()
    assert plugin.mixed_loss(output, data.labels).item() == pytest.approx(expected)


def test_mixup_follows_its_share(monkeypatch):
    plugin, data = started("featuremix-mixup"), batch32()
    partner = torch.tensor([1, 2, 0, 4, 5, 3])
    monkeypatch.setattr(
        "equipoise.methods.featuremix.method.partners", lambda count, device: partner
    )
    monkeypatch.setattr(torch.distributions.Beta, "sample", lambda self: torch.tensor(0.25))
    output = plugin.model(data.inputs)
    h, labels = output.features, data.labels
    logits = plugin.model.classify({m: 0.25 * x + 0.75 * x[partner] for m, x in h.items()}).logits
    expected = 0.25 * cross_entropy(logits, labels) + 0.75 * cross_entropy(logits, labels[partner])
    assert plugin.mixed_loss(output, labels).item() == pytest.approx(expected.item())
