"""bf16 is compared with float32 before a run, and refused where it is wrong.

A CPU with the fault is needed by one test alone: ``Faulty`` computes right on every CPU, and then
does to the results what oneDNN's kernel for AMX does, wherever it does it.
"""

from contextlib import nullcontext

import pytest
import torch
import toy_data
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from equipoise import layout
from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.models.build import build_encoder
from equipoise.models.encoders.conv_spectrogram import network
from equipoise.models.layers import Conv2d
from equipoise.params import Encoder, Train
from equipoise.training import precision

BF16 = Train(epochs=2, batch_size=16, learning_rate=5e-3, precision="bf16")
STRIDE = {"convolution": 3, "convolution_backward": 4}
"""Where the arguments of PyTorch's convolutions have their stride."""


class Faulty(TorchDispatchMode):
    """Convolutions in bf16 to one column at a horizontal stride above 1 are ``spoiled``."""

    def __init__(self, spoiled=lambda x: torch.full_like(x, torch.nan), where="convolution"):
        super().__init__()
        self.spoiled, self.where, self.hits = spoiled, where, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name, options = function._schema.name.removeprefix("aten::"), kwargs or {}
        if name not in STRIDE or args[0].dtype != torch.bfloat16:
            return function(*args, **options)
        stride = args[STRIDE[name]][-1]
        right = function(*tree_map(as_type(torch.float32), args), **options)  # on every CPU
        found = tree_map(as_type(torch.bfloat16), right)
        columns = (found if name == "convolution" else args[0]).shape[-1]
        if name != self.where or columns > 1 or stride == 1:
            return found
        self.hits += 1
        return tree_map(lambda x: self.spoiled(x) if isinstance(x, torch.Tensor) else x, found)


def as_type(dtype):
    """Return what brings a tensor to a type, and leaves anything else."""
    return lambda x: x.to(dtype) if isinstance(x, torch.Tensor) and x.is_floating_point() else x


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()


@pytest.fixture
def plain(monkeypatch):
    """The sound's encoder without the layer that avoids the shape."""
    monkeypatch.setattr(network, "Conv2d", nn.Conv2d)


FAULTS = {
    "nan": (lambda x: torch.full_like(x, torch.nan), "convolution"),
    "other numbers": (lambda x: x.roll(1, 0), "convolution"),
    "a tenth": (lambda x: x * 1.1, "convolution"),
    "gradient": (lambda x: x.roll(1, 0), "convolution_backward"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_numbers_are_refused_in_one_line_before_a_step_is_taken(plain, fault):
    with Faulty(*FAULTS[fault]) as faulty, pytest.raises(UserError) as refused:
        toy_data.run_train("joint", train=BF16)
    assert faulty.hits == 1
    text = str(refused.value)
    assert text.startswith("train.precision: bf16 gives wrong numbers on this CPU (convolution")
    assert "ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16" in text and "\n" not in text
    assert (
        not layout.state("train").exists()
        and not layout.train("toy", "joint", "0")["model"].parent.exists()
    )


def has_the_fault() -> bool:
    """Whether this very CPU computes such a convolution wrong."""
    sound, weights = torch.randn(16, 8, 5, 2), torch.randn(8, 8, 3, 3)
    right, found = (
        torch.conv2d(sound.to(kind), weights.to(kind), stride=(1, 2), padding=1).float()
        for kind in (torch.float32, torch.bfloat16)
    )
    return not (found - right).norm() < right.norm() / 2


@pytest.mark.skipif(not has_the_fault(), reason="this CPU computes such convolutions right")
def test_a_cpu_with_the_fault_is_refused(plain):
    with pytest.raises(UserError, match="bf16 gives wrong numbers on this CPU"):
        toy_data.run_train("joint", train=BF16)
    toy_data.run_train("joint", train=BF16.model_copy(update={"precision": "fp32"}))


def test_a_hundredth_is_what_bf16_may_differ_by(plain):
    with Faulty(lambda x: x * 1.01) as faulty:
        toy_data.run_train("joint", train=BF16)
    assert faulty.hits > 1


def test_float32_is_not_looked_at(plain, monkeypatch):
    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(precision, "_Comparison", fail)
    toy_data.run_train("joint", train=BF16.model_copy(update={"precision": "fp32"}))


@pytest.mark.parametrize("encoder", ["conv_spectrogram", "conv_speech"])
def test_our_encoders_avoid_the_shape(encoder, monkeypatch):
    monkeypatch.setitem(toy_data.ENCODERS, "audio", Encoder(name=encoder))
    with Faulty() as forward, Faulty(where="convolution_backward") as backward:
        toy_data.run_train("joint", train=BF16)
    assert forward.hits == backward.hits == 0


def test_the_comparison_changes_nothing(monkeypatch):
    """Neither weights, nor statistics, nor random numbers: a run without it has the same bytes."""
    with_it = toy_data.contents(toy_data.run_train("lfm-heuristic", train=BF16))
    for path in layout.train("toy", "lfm-heuristic", "0").values():
        path.unlink()
    monkeypatch.setattr("equipoise.training.job.expect_right", lambda *_: None)
    assert toy_data.contents(toy_data.run_train("lfm-heuristic", train=BF16)) == with_it


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("options", [(5, (2, 4), 2), (3, (1, 2), 1), (3, (2, 2), 1)])
def test_the_layer_gives_what_torch_s_gives(width, options):
    kernel, stride, padding = options
    torch.manual_seed(0)
    theirs = nn.Conv2d(3, 4, kernel, stride, padding)
    ours = Conv2d(3, 4, kernel, stride, padding)
    ours.load_state_dict(theirs.state_dict())
    maps = torch.randn(2, 3, 9, width)
    results = []
    # Ours is computed by this very CPU, which may have the fault.
    for layer, mode in ((theirs, Faulty(lambda x: x)), (ours, nullcontext())):
        given = maps.clone().requires_grad_()
        assert torch.equal(layer(given), theirs(given))  # float32: the same bits
        with mode:
            with torch.autocast("cpu", torch.bfloat16):
                found = layer(given)
            (found.float() ** 2).sum().backward()
        results.append([found.detach().float(), given.grad, layer.weight.grad])
    for x, y in zip(*results, strict=True):
        assert x.shape == y.shape
        # Each is rounded to 8 bits, at other places.
        torch.testing.assert_close(x, y, rtol=2**-6, atol=float(y.abs().max()) * 2**-7)


@pytest.mark.parametrize("encoder", ["conv_spectrogram", "conv_speech"])
@pytest.mark.parametrize("time", [1, 2, 4, 8])
def test_no_narrow_clip_meets_the_shape(encoder, time):
    built = build_encoder(Encoder(name=encoder), Input("spectrogram", (65, time)), 8)
    with Faulty() as forward, Faulty(where="convolution_backward") as backward:
        with torch.autocast("cpu", torch.bfloat16):
            features = built(torch.randn(4, 65, time))
        features.float().sum().backward()
    assert forward.hits == backward.hits == 0
    assert features.isfinite().all()
