"""Who leads a batch and by how much, when to hold it back, and the pull that does."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

SPAN = 10
"""Epochs that the released code averages the traces over."""


def batch_score(logits: Tensor, labels: Tensor, score: str) -> Tensor:
    """Return s of logits (B, C) and labels (B,), a scalar: the higher, the better.

    >>> logits = torch.tensor([[0.0, 0.0], [9.0, 9.0]])
    >>> batch_score(logits, torch.tensor([0, 1]), "probability")
    tensor(0.5000)

    Args:
        score: ``log_probability`` or ``probability``: the mean over the batch of that of the true
            class; ``total_probability``: its sum.
    """
    log_probability = logits.log_softmax(dim=1).gather(1, labels[:, None])
    if score == "log_probability":
        return log_probability.mean()
    probability = log_probability.exp()
    return probability.mean() if score == "probability" else probability.sum()


def leads(scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return Delta_m, the mean of s_m - s_m' over the modalities m' that are worse; else 0.

    >>> leads({m: torch.tensor(s) for m, s in {"a": 0.9, "b": 0.5, "c": 0.3}.items()})
    {'a': tensor(0.5000), 'b': tensor(0.2000), 'c': tensor(0.)}
    """
    found = {}
    for m, own in scores.items():
        ahead = torch.stack([own - other for other in scores.values()]).clamp_min(0)
        found[m] = ahead.sum() / (ahead > 0).sum().clamp_min(1)
    return found


def growth(traces: Sequence[float]) -> float:
    """Return (F_t - F_t-1) / F_t of the last two epochs; 0 before there are two.

    >>> growth([1.0, 4.0])
    0.75
    """
    if len(traces) < 2 or traces[-1] <= 0:
        return 0.0
    return (traces[-1] - traces[-2]) / traces[-1]


def smoothed_growth(traces: Sequence[float]) -> float:
    """Return the growth of the mean over ten epochs, as the released code has it.

    (F_t - F_t-10) / sum of the last ten, with zeros for epochs that were not; 1 before the first.

    >>> smoothed_growth([2.0, 8.0])
    0.8
    """
    total = sum(traces[-SPAN:])
    if not traces or total <= 0:
        return 1.0
    left = traces[-1 - SPAN] if len(traces) > SPAN else 0.0
    return (traces[-1] - left) / total


def pull(parameters: Iterable[nn.Parameter], anchors: Iterable[Tensor], strength: Tensor) -> None:
    """Add strength (theta - anchor) to each gradient: that of strength/2 |theta - anchor|^2.

    >>> weight = nn.Parameter(torch.tensor([3.0]))
    >>> weight.grad = torch.tensor([1.0])
    >>> pull([weight], [torch.tensor([1.0])], torch.tensor(0.5))
    >>> weight.grad  # 1 + 0.5 (3 - 1)
    tensor([2.])
    """
    for parameter, anchor in zip(parameters, anchors, strict=True):
        if parameter.grad is not None:
            parameter.grad.add_((parameter.detach() - anchor) * strength)


def squared_length(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return |g|^2 over all parameters, a scalar: one step's part of the Fisher trace.

    >>> weight = nn.Parameter(torch.zeros(2))
    >>> weight.grad = torch.tensor([3.0, 4.0])
    >>> squared_length([weight])
    tensor(25., dtype=torch.float64)
    """
    parts = [p.grad.square().sum() for p in parameters if p.grad is not None]
    return _total(parts)


def mean_squares(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return the sum over weight tensors of the mean of g^2, as the released code has it.

    Tensors of two dimensions or more: those of convolutions and linear layers.

    >>> weight = nn.Parameter(torch.zeros(1, 2))
    >>> weight.grad = torch.tensor([[3.0, 4.0]])
    >>> mean_squares([weight]).item()
    12.5
    """
    parts = [p.grad.square().mean() for p in parameters if p.grad is not None and p.dim() > 1]
    return _total(parts)


def _total(parts: Sequence[Tensor]) -> Tensor:
    """Return the sum of scalars; 0 of none, as where every parameter is frozen."""
    if not parts:
        return torch.zeros((), dtype=torch.float64)
    return torch.stack(list(parts)).sum().double()
