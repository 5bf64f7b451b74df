"""What several methods share: scores, angles and scales of gradients, means over an epoch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def relative_scores(scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return rho_m = S_m / mean of S_m' over all other modalities m', each a scalar.

    For two modalities this is the ratio S_m / S_m' of Peng et al. (CVPR 2022); the mean over the
    others is our generalisation.

    Args:
        scores: Modality to the positive scores of its samples (B,); S_m is their sum.

    >>> relative_scores({"audio": torch.tensor([0.6]), "video": torch.tensor([0.3])})
    {'audio': tensor(2.), 'video': tensor(0.5000)}
    """
    sums = {m: value.sum() for m, value in scores.items()}
    total = torch.stack(list(sums.values())).sum()
    limits = torch.finfo(total.dtype)
    others = {m: (total - value).clamp_min(limits.tiny) for m, value in sums.items()}
    return {
        m: (value * (len(sums) - 1) / others[m]).clamp_max(limits.max) for m, value in sums.items()
    }


def entropies(logits: Tensor) -> Tensor:
    """Return the entropy in nats of the softmax over the last dimension, (...) from (..., C).

    From its logarithm, whose gradient is finite where a probability is 0.

    >>> entropies(torch.zeros(2, 4))  # log 4
    tensor([1.3863, 1.3863])
    """
    logarithm = logits.log_softmax(dim=-1)
    return -(logarithm.exp() * logarithm).sum(dim=-1)


def inner(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Return the inner product of two gradients, each a list of tensors; a scalar; 0 of none."""
    parts = [(a * b).sum() for a, b in zip(first, second, strict=True)]
    return torch.stack(parts).sum() if parts else torch.zeros(())


def cosine(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Return the cosine of the angle between two gradients, each a list of tensors; a scalar.

    0 when one of them is zero.

    >>> cosine([torch.tensor([1.0, 0.0])], [torch.tensor([3.0, 4.0])])
    tensor(0.6000)
    """
    found = inner(first, second)
    for gradient in (first, second):
        # One length after the other: their product is 0 for gradients that are short, but not 0.
        length = inner(gradient, gradient).sqrt()
        found = found / length.clamp_min(torch.finfo(length.dtype).tiny)
    return found.clamp(-1, 1)


def scale_gradients(parameters: Iterable[nn.Parameter], factor: Tensor) -> None:
    """Multiply the gradients of ``parameters`` by the scalar ``factor``, in place.

    >>> weight = nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.tensor([1.0, -2.0])
    >>> scale_gradients([weight], torch.tensor(0.5))
    >>> weight.grad
    tensor([ 0.5000, -1.0000])
    """
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.mul_(factor)


def set_gradient(parameter: nn.Parameter, gradient: Tensor) -> None:
    """Give ``parameter`` a gradient, in the memory layout of the parameter.

    Gradients of :func:`torch.autograd.grad` may be laid out otherwise (channels last, say), and a
    fused optimiser reads both as if they were laid out alike.
    """
    parameter.grad = torch.empty_like(parameter).copy_(gradient)


class Means:
    """Means over the steps of an epoch, kept on the device until they are asked for.

    Args:
        names: What is recorded.
        device: Where.
    """

    def __init__(self, names: Iterable[str], device: torch.device) -> None:
        self.names = list(names)
        self._sum = torch.zeros(len(self.names), dtype=torch.float64, device=device)
        self._steps = 0

    def clear(self) -> None:
        """Start again: a new epoch."""
        self._sum = torch.zeros_like(self._sum)
        self._steps = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the values (scalars) of one step."""
        stacked = torch.stack([values[name].detach() for name in self.names])
        self._sum = self._sum + stacked.to(self._sum.dtype)
        self._steps += 1

    def row(self, prefix: str) -> dict[str, float]:
        """Return ``{<prefix>_<name>: mean}``; nothing when no step was recorded."""
        if not self._steps:
            return {}
        means = (self._sum / self._steps).tolist()
        return {f"{prefix}_{name}": v for name, v in zip(self.names, means, strict=True)}

    def state_dict(self) -> dict[str, Any]:
        """Return sums and number of steps."""
        return {"sum": self._sum.cpu(), "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._sum = state["sum"].to(self._sum.device)
        self._steps = state["steps"]
