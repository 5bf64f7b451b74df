"""OPM and its control: advantages, rates, which features are left, and what a step trains on."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from small import batch32, model32
from torch.nn.functional import cross_entropy

from equipoise.errors import UserError
from equipoise.methods.base import create
from equipoise.methods.moddrop.method import spread
from equipoise.methods.opm.method import advantages, drawn, drop_rates, mean_of_kept, rescale

AUDIO, VIDEO = [0.9, 0.6, 0.5, 0.8], [0.4, 0.3, 0.5, 0.2]


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def started(key, options, net=None):
    """The plug-in in its first epoch, with plain SGD."""
    net = net or model32()
    plugin = create(key, options)
    plugin.attach(net, {})
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    run = SimpleNamespace(model=net, optimizer=optimizer, autocast=nullcontext, first_epoch=1)
    run.device = torch.device("cpu")
    plugin.setup(run)
    plugin.on_epoch_start(1)
    return plugin


def method(key="opm-paper", net=None, **options):
    return started(key, {"from_epoch": 1, **options}, net)


def test_the_rates_of_four_samples_by_hand():
    """S = 2.8 and 1.4: the ratio is 2, its excess 1, tanh(1) = 0.7615941560."""
    ratios = advantages({"a": t(*AUDIO), "v": t(*VIDEO)})
    assert ratios.tolist() == pytest.approx([2.0, 0.5])
    rates = drop_rates(ratios, 0.5, 0.5)
    assert rates.tolist() == pytest.approx([0.6903985390, 0.0], abs=1e-9)
    assert float(rescale(rates)) == pytest.approx(1.5271821692, abs=1e-9)
    assert spread(rates).tolist() == pytest.approx([0.3451992695] * 2, abs=1e-9)


def test_three_modalities_are_compared_pair_by_pair():
    ratios = advantages({"a": t(2.8), "b": t(1.4), "c": t(2.0)})
    assert ratios.tolist() == pytest.approx([1.7, 0.6, (2 / 2.8 + 2 / 1.4) / 2])
    rates = drop_rates(ratios, 0.5, 0.5)
    assert float(rates[1]) == 0.0 and float(rates[0]) > float(rates[2]) > 0.5


def test_rates_grow_with_the_advantage_and_stay_below_one():
    ratios = torch.linspace(0, 40, 200, dtype=torch.float64)
    rates = drop_rates(ratios, 0.9, 0.5)
    assert not rates[ratios <= 1].any() and (rates[ratios > 1] >= 0.9).all()
    assert (rates.diff() >= 0).all() and float(rates[-1]) == 1.0


def test_the_shares_drawn_are_the_rates():
    torch.manual_seed(0)
    keep = drawn(t(0.7, 0.0, 1.0), 20_000)
    share = keep.double().mean(dim=1).tolist()
    assert share == [pytest.approx(0.3, abs=0.02), 1.0, 0.0]  # six standard deviations


def test_samples_that_keep_nothing_leave_the_batch():
    keep = torch.tensor([[True, False, False], [False, False, True]])
    assert float(mean_of_kept(t(1.0, 50.0, 4.0), keep)) == 2.5
    assert float(mean_of_kept(t(1.0, 50.0, 4.0), torch.zeros(2, 3, dtype=torch.bool))) == 0.0


def test_paper_drops_by_the_rates_of_the_batch_before():
    plugin, data = method(q_base=1.0), batch32()
    output = plugin.model(data.inputs)
    plain = cross_entropy(output.logits, data.labels)
    rates = plugin.rates(output, data.labels)
    dominant = plugin.model.modalities[int(rates.argmax())]
    (other,) = set(plugin.model.modalities) - {dominant}
    assert sorted(rates.tolist()) == [0.0, 1.0]
    assert plugin.loss(output, data).item() == pytest.approx(plain.item()), "nothing is known yet"
    only = plugin.model.classify({other: output.features[other]})
    expected = cross_entropy(only.logits, data.labels).item()
    assert plugin.loss(output, data).item() == pytest.approx(expected)
    assert plugin.on_epoch_end(1, {}) == {f"rate_{dominant}": 0.5, f"rate_{other}": 0.0}


def test_released_code_drops_by_the_rates_of_the_batch_itself_and_rescales_what_is_left():
    plugin, data = method("opm-released_code", q_base=1.0, p_exe=1.0), batch32()
    output = plugin.model(data.inputs)
    dominant = plugin.model.modalities[int(plugin.rates(output, data.labels).argmax())]
    (other,) = set(plugin.model.modalities) - {dominant}
    only = plugin.model.classify({other: 2 * output.features[other]})  # theta = (1 + 0) / 2
    expected = cross_entropy(only.logits, data.labels).item()
    assert plugin.loss(output, data).item() == pytest.approx(expected)


@pytest.mark.parametrize("options", [{"p_exe": 0.0}, {"from_epoch": 2}])
def test_without_dropping_a_step_is_that_of_joint_training(options):
    steps = []
    for plugin in (method("opm-released_code", **options), started("joint-concat", {})):
        plugin.train_step(batch32())
        steps.append(list(plugin.model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*steps, strict=True))


def test_training_metrics_and_probes_see_all_features():
    plugin, data = method("moddrop-fixed", rate=1.0), batch32()
    before = [p.clone() for p in plugin.model.parameters()]
    whole = plugin.model(data.inputs).logits
    output, loss = plugin.train_step(data)
    assert torch.equal(output.logits, whole) and float(loss) == 0.0, "every sample lost everything"
    moved = [not torch.equal(a, b) for a, b in zip(before, plugin.model.parameters(), strict=True)]
    names = [name for name, _ in plugin.model.named_parameters()]
    assert {n.split(".")[0] for n, m in zip(names, moved, strict=True) if m} == {"heads"}


def test_the_control_drops_as_much_in_the_mean_and_all_alike():
    data, net = batch32(), model32()
    output = net(data.inputs)
    target = method("opm-paper", net).rates(output, data.labels)
    control = method("moddrop-paper", net).rates(output, data.labels)
    assert control.mean().item() == pytest.approx(target.mean().item())
    assert len(set(control.tolist())) == 1 and len(set(target.tolist())) == 2
    fixed = method("moddrop-fixed", net, rate=0.3).rates(output, data.labels)
    assert fixed.tolist() == pytest.approx([0.3, 0.3])


def test_a_fusion_that_cannot_be_split_needs_the_scores_of_heads():
    with pytest.raises(UserError, match="cannot be split by modality"):
        method(net=model32(fusion="gated"))
    method(net=model32(fusion="gated"), scores="heads")
    with pytest.raises(UserError, match="cannot be split by modality"):
        method("moddrop-paper", model32(fusion="gated"))
    plugin, data = method("moddrop-fixed", model32(fusion="gated")), batch32()
    assert plugin.loss(plugin.model(data.inputs), data).isfinite(), "it reads no scores"


def test_the_last_rates_are_state():
    one, two, data = method(q_base=1.0), method(q_base=1.0), batch32()
    output = one.model(data.inputs)
    one.loss(output, data)
    two.load_state_dict(one.state_dict())
    assert one._previous.any()
    assert two.loss(output, data).item() == one.loss(output, data).item()
    assert two.on_epoch_end(1, {}) == one.on_epoch_end(1, {})
