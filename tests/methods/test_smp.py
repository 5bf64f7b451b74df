"""SMP: stages, factors, and what a gradient of zero does that no gradient does not."""

import pytest
import torch
from small import batch, mixed, model
from torch import nn

from equipoise import params
from equipoise.errors import UserError
from equipoise.methods.base import create
from equipoise.methods.smp.stages import convolutions, factors, solo_epochs, stage
from equipoise.models.multimodal import Output
from equipoise.params import Train
from equipoise.training.run import Run, make_optimizer

RHO = {"audio": torch.tensor(0.6652409557748219), "video": torch.tensor(0.11419519938459448)}


def numbers(kappa):
    return {m: float(value) for m, value in kappa.items()}


def test_the_stages_of_the_epochs():
    assert [stage(t, 2, 2) for t in range(1, 6)] == [0, 0, 1, 1, 1]
    assert [stage(t, 2, 3) for t in range(1, 8)] == [0, 0, 1, 1, 2, 2, 2]
    assert stage(1, 0, 3) == 2, "no solo stage"
    assert stage(1, 5, 1) == 0, "one modality has none"
    # 151 of 300 epochs in the released code.
    assert [solo_epochs(300, m) for m in (1, 2, 3)] == [150, 150, 75]
    assert (solo_epochs(20, 2), solo_epochs(20, 3), solo_epochs(1, 2)) == (10, 5, 0)


def test_the_weakest_leads_first_and_the_strongest_never_alone():
    assert numbers(factors(RHO, 0)) == {"audio": 0.0, "video": 1.0}
    assert numbers(factors(RHO, 1)) == {"audio": 1.0, "video": 1.0}
    three = {"a": torch.tensor(0.9), "b": torch.tensor(0.2), "c": torch.tensor(0.5)}
    assert numbers(factors(three, 0)) == {"a": 0.0, "b": 1.0, "c": 0.0}
    assert numbers(factors(three, 1)) == {"a": 0.0, "b": 0.0, "c": 1.0}
    assert numbers(factors(three, 2)) == dict.fromkeys(three, 1.0)
    equal = {"a": torch.tensor(0.5), "b": torch.tensor(0.5)}
    assert numbers(factors(equal, 0)) == {"a": 1.0, "b": 0.0}
    assert numbers(factors({"a": torch.tensor(0.3)}, 0)) == {"a": 1.0}


def test_the_released_code_means_kernels_of_four_dimensions():
    encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    assert [p.dim() for p in convolutions(encoder.parameters())] == [4]
    assert len(convolutions(nn.Linear(2, 2).parameters())) == 2


class Taught(Run):
    """A run whose teacher is always 0.67 sure of audio and 0.11 of video."""

    def taught(self, data):
        ones = torch.ones(len(data.labels), 1)
        sure = {"audio": 1.0, "video": -1.0}
        hot = nn.functional.one_hot(data.labels, 3)
        return Output({}, {m: value * ones * hot for m, value in sure.items()}, ones)

    def taught_rows(self, rows):
        data = batch()
        yield self.taught(data), data.labels


class Splits:
    splits = {"train": [0]}


def suppressed(key, options, decay=0.5, momentum=0.0):
    """The change of each parameter in one step of a solo stage, in which video leads."""
    net, data = model().float(), batch()
    data.inputs = {m: x.float() for m, x in data.inputs.items()}
    train = Train(optimizer="sgd", learning_rate=0.1, momentum=momentum, weight_decay=decay)
    optimizer = make_optimizer(list(net.parameters()), train)
    run = Taught(net, optimizer, Splits(), train, torch.device("cpu"), 0, 1, 4)
    method = create(key, options)
    method.attach(net, {})
    method.setup(run)
    method.on_epoch_start(1)
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    method.train_step(data)
    return before, {n: p.detach() for n, p in net.named_parameters()}


def test_a_gradient_of_zero_leaves_weight_decay_and_no_gradient_leaves_nothing():
    before, after = suppressed("smp", {"ranking": "batch"})
    for name, value in before.items():
        if name.startswith("encoders.audio"):
            torch.testing.assert_close(after[name], value - 0.1 * 0.5 * value)
    before, after = suppressed("smp", {"ranking": "run"})
    for name, value in before.items():
        assert torch.equal(after[name], value) == name.startswith("encoders.audio"), name


def test_fusion_and_heads_train_in_every_stage():
    before, after = suppressed("smp-released_code", {}, decay=0.0)
    moved = {name for name, value in before.items() if not torch.equal(after[name], value)}
    assert moved == {name for name in before if not name.startswith("encoders.audio")}


def test_the_released_code_suppresses_kernels_alone():
    net, data = mixed()
    train = Train(optimizer="sgd", learning_rate=0.1, momentum=0.0, weight_decay=0.0)
    optimizer = make_optimizer(list(net.parameters()), train)
    run = Taught(net, optimizer, Splits(), train, torch.device("cpu"), 0, 1, 4)
    run.taught = lambda data: Output(
        {},
        {
            "image": nn.functional.one_hot(data.labels, 3).float(),
            "text": torch.zeros(len(data.labels), 3),
        },
        torch.zeros(1),
    )
    method = create("smp-released_code", {})
    method.attach(net, {})
    method.setup(run)
    method.on_epoch_start(1)
    method.train_step(data)
    zero = {n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    kernels = {n for n, p in net.named_parameters() if n.startswith("encoders.image")}
    assert "encoders.image.0.weight" in zero
    # The bias before batch normalisation has no gradient anyway.
    assert kernels - zero >= {"encoders.image.1.weight", "encoders.image.5.weight"}


def test_a_stage_that_leaves_nothing_is_refused():
    net = model(modalities=("a", "b", "c"))
    run = Taught(net, None, Splits(), Train(), torch.device("cpu"), 0, 1, 4)
    method = create("smp", {"solo_epochs": 2})
    method.attach(net, {})
    with pytest.raises(UserError, match=r"solo_epochs \(2\) for 3 modalities leaves none of 4"):
        method.setup(run)
    modalities = {"audio": {"kind": "sound", "rate": 8000, "seconds": 0.8}}
    tree = {
        "datasets": {"keypad": {"modalities": modalities}},
        "methods": {"from_scratch": {"unimodal": {}}, "with_teacher": {"g2d": {"solo_epochs": 20}}},
        "seeds": [0],
        "compare": {"baseline": "unimodal"},
    }
    with pytest.raises(UserError, match=r"g2d\.solo_epochs: 20 leaves none of the 20 epochs"):
        params.parse(params.Params, tree, "test")
