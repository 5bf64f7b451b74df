"""bf16 on a CPU is compared with float32 before a run: on some CPUs it gives wrong numbers.

See docs/precision.md. Compared is every matrix product and convolution of one training batch,
forward and backward, one by one on its own inputs. From end to end, right bf16 differs from float32
by as much as wrong bf16 may: roundings add up over the layers.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from equipoise.errors import UserError
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.params import Train
from equipoise.training.data import Data
from equipoise.training.device import autocast

BOUND = 2**-4
"""Largest |x - y| / |y| (Euclidean norms) of a result x in bf16 and y in float32 on equal inputs.

bf16 keeps 8 bits, so that a rounding moves a number by 2^-9 of it at most. A result is rounded
once; but PyTorch's own gradient of a convolution's weights adds up the samples in bf16, and is
rounded once for each of them: SAMPLES 2^-9 at most.
"""
SAMPLES = 32
"""So many samples of the first batch are compared, at most."""
#: Words in the names of operations that multiply matrices or convolve.
_PRODUCTS = ("conv", "mm", "linear", "rnn", "attention")


def expect_right(
    model: MultimodalClassifier, data: Data, settings: Train, epoch: tuple[int, int]
) -> None:
    """Refuse bf16 on a CPU where it gives wrong numbers for this model.

    One step is made with a copy of the model: neither weights and statistics nor random numbers
    change. Nothing is done for float32, or on a GPU.

    Args:
        model: As training starts with it, on the device of ``data``.
        data: Its first batch is taken, without augmentation.
        settings: Section ``train``.
        epoch: Seed of the run and first epoch, which decide the first batch.

    Raises:
        UserError: A result differs by more than BOUND, or is not finite.
    """
    if not settings.precision.startswith("bf16") or data.device.type != "cpu":
        return
    rows = data.order(data.splits["train"], epoch)[: min(settings.batch_size, SAMPLES)].numpy()
    (batch,) = data.ordered(rows, len(rows))
    trial = copy.deepcopy(model).train()
    with torch.random.fork_rng(devices=[]), _Comparison():  # type: ignore[no-untyped-call]
        with autocast(data.device, settings.precision):
            output = trial(batch.inputs)
        logits = (output.logits, *output.modality_logits.values())
        losses = [functional.cross_entropy(z, batch.labels) for z in logits]
        torch.autograd.backward(losses)


class _Comparison(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Does each product that is to be done in bf16 in float32, too, and compares."""

    def __torch_dispatch__(
        self,
        function: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        found = function(*args, **options)
        name = function._schema.name.removeprefix("aten::")
        shapes = [tuple(value.shape) for value in tree_flatten((args, options))[0] if _low(value)]
        if shapes and any(word in name for word in _PRODUCTS) and not function._schema.is_mutable:
            wanted = function(*tree_map(_wide, args), **tree_map(_wide, options))
            for x, y in zip(tree_flatten(found)[0], tree_flatten(wanted)[0], strict=True):
                if isinstance(x, Tensor) and x.is_floating_point():
                    _expect_near(name, x, y, shapes)
        return found


def _low(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.bfloat16


def _wide(value: Any) -> Any:
    return value.float() if _low(value) else value


def _expect_near(name: str, x: Tensor, y: Tensor, shapes: list[tuple[int, ...]]) -> None:
    size = float(y.double().norm())
    error = float((x.double() - y.double()).norm())
    if error <= BOUND * size:  # not so if either is NaN
        return
    by = error / size if size else error
    raise UserError(
        f"train.precision: bf16 gives wrong numbers on this CPU ({name} of {_shown(shapes)} is off "
        f"by {by:.2g}, allowed is {BOUND:g}); set the environment variable "
        "ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16, or say fp32 (docs/precision.md)"
    )


def _shown(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
