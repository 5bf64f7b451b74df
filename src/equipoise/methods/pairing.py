"""Re-paired batches: samples whose modalities come from different samples of the same batch.

The draws come from torch's generator of the device, whose state is part of every checkpoint and
the same in all processes of a job; encoders run once, as it is their features that are paired.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor


def partners(count: int, device: torch.device) -> Tensor:
    """Return a random permutation (B,): the partner of each of ``count`` samples, maybe itself.

    >>> sorted(partners(3, torch.device("cpu")).tolist())
    [0, 1, 2]
    """
    return torch.rand(count, device=device).argsort()


def partners_of_other_class(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each sample a random one with another label, and whether there is one.

    >>> partners_of_other_class(torch.tensor([0, 0, 1]))[0][:2]
    tensor([2, 2])

    Args:
        labels: (B,).

    Returns:
        Places in the batch (B,), 0 where there is none, and (B,) bool.
    """
    other = labels[:, None] != labels
    draws = torch.rand(other.shape, device=labels.device).masked_fill(~other, -1.0)
    return draws.argmax(dim=1), other.any(dim=1)


def repaired(
    values: Mapping[str, Tensor], partner: Tensor, replaced: Collection[str]
) -> dict[str, Tensor]:
    """Return ``{m: (B, ...)}`` with the modalities ``replaced`` taken from the partners (B,).

    >>> values = {"audio": torch.tensor([1, 2]), "video": torch.tensor([3, 4])}
    >>> repaired(values, torch.tensor([1, 0]), ["video"])
    {'audio': tensor([1, 2]), 'video': tensor([4, 3])}
    """
    return {m: value[partner] if m in replaced else value for m, value in values.items()}
