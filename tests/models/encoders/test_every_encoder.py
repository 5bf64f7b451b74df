"""What holds for every encoder, run on every row of the table."""

import copy
import importlib
from functools import cache

import pytest
import torch
from encoder_settings import ROWS

from equipoise import registry
from equipoise.training.device import make_deterministic

every = pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
FEATURES = 12


@pytest.fixture(autouse=True)
def as_in_training():
    """The threads and the deterministic kernels of a job."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    make_deterministic(torch.device("cpu"), 1)
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)


def make(row, seed=0):
    return copy.deepcopy(_made(ROWS.index(row), seed))


@cache
def _made(number, seed):
    row = ROWS[number]
    info = registry.encoders()[row.name]
    module, _, function = info.plugin.partition(":")
    build = getattr(importlib.import_module(module), function)
    torch.manual_seed(seed)
    return build(row.given, FEATURES, registry.check(info.options, row.options, row.name))


def build_again(row, seed):
    return _made.__wrapped__(ROWS.index(row), seed)


def state(encoder):
    return {name: value.clone() for name, value in encoder.state_dict().items()}


def trained(encoder):
    return [parameter for parameter in encoder.parameters() if parameter.requires_grad]


def assert_equal(one, other, only=""):
    assert one.keys() == other.keys()
    for name in one:
        if name.startswith(only):
            assert torch.equal(one[name], other[name]), name


def test_the_table_has_every_encoder_and_layout():
    listed = {(row.name, row.given.layout) for row in ROWS}
    known = {(name, layout) for name, info in registry.encoders().items() for layout in info.reads}
    assert listed == known
    assert {layout for _, layout in known} <= set(registry.LAYOUTS)


@every
def test_the_registry_entry_is_complete(row):
    info = registry.encoders()[row.name]
    assert info.summary and info.paper
    assert tuple(make(row).parts()) == info.parts
    assert all(field.description for field in info.options.model_fields.values())


@every
def test_every_parameter_gets_a_gradient_in_training_and_the_shape_is_right(row):
    encoder = make(row).train()
    features = encoder(row.inputs())
    assert features.shape == (4, FEATURES)
    assert encoder.embed(row.inputs()).shape == (4, encoder.width)
    # Not the sum alone: normalisation would take that to a constant.
    (features * torch.arange(4.0)[:, None]).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        if not parameter.requires_grad:  # no pooling of the network reads it
            assert parameter.grad is None and row.name == "pretrained"
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@every
def test_equal_seeds_give_equal_weights_and_gradients(row):
    found = []
    for _ in range(2):
        encoder = build_again(row, seed=3).train()
        features = encoder(row.inputs())
        features.square().sum().backward()
        gradients = [p.grad for p in trained(encoder)]
        found.append([features.detach(), *state(encoder).values(), *gradients])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    others = zip(make(row).parameters(), build_again(row, 3).parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in others)


@every
def test_weights_go_round_and_samples_do_not_see_each_other(row):
    encoder = make(row).eval()
    again = make(row, seed=1).eval()
    again.load_state_dict(encoder.state_dict())
    inputs = row.inputs()
    with torch.no_grad():
        whole = encoder(inputs)
        assert torch.equal(whole, again(inputs))
        alone = torch.cat([encoder(inputs[i : i + 1]) for i in range(4)])
        # One of several processes may have no sample of a small batch.
        assert encoder(inputs[:0]).shape == (0, FEATURES)
    torch.testing.assert_close(alone, whole, rtol=1e-4, atol=1e-5)
    assert (whole[0] - whole[1]).abs().max() > 1e-4, "two samples have the same features"


@every
@pytest.mark.parametrize("part", ["stem", "body"])
def test_what_is_frozen_does_not_move(row, part):
    encoder = make(row)
    if part not in encoder.parts():
        with pytest.raises(Exception, match=f"no {part} to freeze"):
            encoder.freeze(part)
        return
    encoder.freeze(part)
    before = state(encoder)
    # Parameters of every kind in the optimiser: those without a gradient must stay all the same.
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1, weight_decay=0.5)
    for step in range(2):
        encoder.train()
        optimizer.zero_grad(set_to_none=True)
        encoder(row.inputs(seed=step) * (1 if row.given.layout == "tokens" else 3)).sum().backward()
        optimizer.step()
    after = state(encoder)
    frozen = list(encoder.parts())[: list(encoder.parts()).index(part) + 1]
    for name in frozen:
        assert_equal(before, after, only=f"{name}.")
    assert not torch.equal(before["projection.0.weight"], after["projection.0.weight"])
    rest = [n for n, p in encoder.named_parameters() if p.requires_grad]
    assert rest and not any(n.startswith(tuple(f"{f}." for f in frozen)) for n in rest)


@every
def test_the_gradient_has_a_gradient(row):
    """Methods of two levels (lfm) take one."""
    encoder = make(row).eval()
    loss = encoder(row.inputs(2)).square().sum()
    parameters = trained(encoder)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    total = sum(gradient.square().sum() for gradient in gradients)
    second = torch.autograd.grad(total, parameters, allow_unused=True)
    assert sum(float(g.abs().sum()) for g in second if g is not None) > 0


@pytest.mark.parametrize(
    "row", [r for r in ROWS if not r.like], ids=[r.id for r in ROWS if not r.like]
)
def test_works_in_bfloat16(row):
    encoder = make(row).train()
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(row.inputs())
    features.float().square().sum().backward()
    assert features.isfinite().all()
    assert all(p.grad.isfinite().all() for p in trained(encoder))
    assert all(p.dtype == torch.float32 for p in encoder.parameters())
