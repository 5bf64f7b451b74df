"""Several processes for one training job: each encodes a share of every batch.

Encoders are where the time goes, so they alone are shared out. The features of all shares are
gathered, and every process then goes on as one process alone would: same heads, same loss, same
state of the method, on the whole batch. A method needs to know nothing of it.

======================  ==========================================================================
forward of an encoder   on this process' share of the batch; every process gets all features
batch normalisation     statistics are summed over the shares
gradient of an encoder  each share gives its part; the parts are summed as autograd finds them
evaluation mode         shared out as well, unless gradients are wanted (maybe of second order):
                        then every process does the whole batch, and nothing is summed
======================  ==========================================================================
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from equipoise.errors import UserError
from equipoise.training.world import World

Forward = Callable[[Tensor], Tensor]


def share(encoders: nn.ModuleDict, world: World) -> None:
    """Have every encoder work on the share of this process; nothing changes for one process.

    An encoder must treat the samples of a batch one by one, but for batch normalisation.

    Raises:
        UserError: An encoder could not give the same result in shares.
    """
    if world.size == 1:
        return
    for modality, encoder in encoders.items():
        for module in encoder.modules():
            _check(modality, module)
            if isinstance(module, _BatchNorm):
                _wrap(module, partial(_batch_norm, world, module, module.forward))
        _wrap(encoder, partial(_encode, world, encoder, encoder.forward))
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                hook = partial(_whole_gradient, world, encoder)
                parameter.register_hook(hook)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def unshared(encoders: nn.ModuleDict) -> Iterator[None]:
    """Have every process encode the whole batch, also in training mode, and sum nothing.

    For gradients of second order with batch statistics: sums over processes have none.
    """
    normalisations = [m for m in encoders.modules() if isinstance(m, _BatchNorm)]
    aside = [(m, vars(m).pop("forward")) for m in normalisations if "forward" in vars(m)]
    # Only shared encoders have batch normalisations set aside; the flag is read by `_encode`.
    training = [encoder.training for encoder in encoders.values()]
    try:
        for encoder in encoders.values():
            encoder.training = encoder.training and "forward" not in vars(encoder)
        yield
    finally:
        for encoder, flag in zip(encoders.values(), training, strict=True):
            encoder.training = flag
        for module, forward in aside:
            _wrap(module, forward)


def _wrap(module: nn.Module, forward: Forward) -> None:
    """Replace the forward of one module; its class, and the names of its parameters, stay."""
    module.forward = forward


def _encode(world: World, encoder: nn.Module, alone: Forward, inputs: Tensor) -> Tensor:
    """Return the features (B, D) of the whole batch (B, ...)."""
    if torch.is_grad_enabled() and not encoder.training:
        return alone(inputs)
    part = alone(inputs[world.span(len(inputs))])
    features: Tensor = _Gathered.apply(part, world, len(inputs))  # type: ignore[no-untyped-call]
    return features


def _whole_gradient(world: World, encoder: nn.Module, part: Tensor) -> Tensor:
    """Return the gradient by the whole batch from that by the share."""
    return world.summed(part) if encoder.training else part


def _batch_norm(world: World, norm: _BatchNorm, alone: Forward, inputs: Tensor) -> Tensor:
    """Normalise (B, C, ...) by the statistics of the whole batch."""
    if not norm.training:
        return alone(inputs)
    values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
    others = [0, *range(2, inputs.dim())]
    each = values.new_tensor([inputs.numel() // inputs.shape[1]])
    sums = _summed(torch.cat([values.sum(others), each]), world)
    count = sums[-1].detach()
    mean = sums[:-1] / count
    centred = values - _spread(mean, inputs)
    variance = _summed((centred**2).sum(others), world) / count
    with torch.no_grad():
        _track(norm, mean, variance * count / (count - 1))
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    outputs = centred * _spread(scale, inputs) + _spread(norm.bias, inputs)
    return outputs.to(inputs.dtype)


def _spread(channels: Tensor, like: Tensor) -> Tensor:
    """Return (C,) in a shape that multiplies (B, C, ...)."""
    return channels.view(1, -1, *[1] * (like.dim() - 2))


def _track(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics, as batch normalisation in training does."""
    mean_of, variance_of, batches = norm.running_mean, norm.running_var, norm.num_batches_tracked
    assert mean_of is not None and variance_of is not None and batches is not None  # noqa: S101
    assert norm.momentum is not None  # noqa: S101  see _check
    batches.add_(1)
    mean_of.lerp_(mean, norm.momentum)
    variance_of.lerp_(variance, norm.momentum)


def _check(modality: str, module: nn.Module) -> None:
    """Refuse a layer whose result would depend on how a batch is shared out."""
    if isinstance(module, _DropoutNd) and module.p > 0:
        raise UserError(
            f"the encoder of {modality!r} draws random numbers (dropout), and several processes "
            "would draw others than one; set runtime.processes to 1"
        )
    if isinstance(module, _BatchNorm) and not (
        module.affine and module.track_running_stats and module.momentum is not None
    ):
        raise UserError(
            f"the encoder of {modality!r} has a batch normalisation without weights, running "
            "statistics or momentum, which is not shared out; set runtime.processes to 1"
        )


class _Gathered(torch.autograd.Function):
    """Shares to the whole. Its gradient is known to every process; each takes the part it sent."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, world: World, count: int) -> Tensor:
        ctx.span = world.span(count)
        return world.gathered(part, count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0][ctx.span], None, None


class _Sum(torch.autograd.Function):
    """Sum over processes. What follows differs by process: the gradient is a sum, too."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, world: World) -> Tensor:
        ctx.world = world
        return world.summed(part)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.world.summed(gradients[0]), None


def _summed(part: Tensor, world: World) -> Tensor:
    total: Tensor = _Sum.apply(part, world)  # type: ignore[no-untyped-call]
    return total
