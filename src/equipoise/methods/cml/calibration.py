"""Confidences along a chain of ever fewer modalities, and the penalties of a rise."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def chain(modalities: Sequence[str], seed: Sequence[int]) -> list[list[str]]:
    """Return S_0 (all) and ever smaller subsets, down to one modality, removed in random order.

    >>> [len(subset) for subset in chain(["audio", "flow", "video"], seed=[0])]
    [3, 2, 1]
    """
    order = np.random.default_rng(list(seed)).permutation(len(modalities))
    kept = [[modalities[i] for i in sorted(order[:size])] for size in range(1, len(order) + 1)]
    return kept[::-1]


def confidence(logits: Tensor) -> Tensor:
    """Return max_c softmax(z_i)_c (B,) from logits (B, C).

    >>> confidence(torch.tensor([[0.0, 0.0]]))
    tensor([0.5000])
    """
    return logits.softmax(dim=1).amax(dim=1)


def rises(links: Sequence[Tensor]) -> Tensor:
    """Return sum_k mean_i relu(c_k+1,i - c_k,i), a scalar, from logits (B, C) along a chain.

    >>> unsure, sure = torch.zeros(1, 2), torch.tensor([[99.0, 0.0]])
    >>> rises([unsure, sure]), rises([sure, unsure])
    (tensor(0.5000), tensor(0.))
    """
    surer = [confidence(z) for z in links]
    steps = [(after - before).relu().mean() for before, after in itertools.pairwise(surer)]
    return torch.stack(steps).sum()


def official_rises(links: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Return the sum over links and samples of the authors' code, a scalar.

    Samples that are right before the removal count; those that are wrong before and after count
    with a confidence before that is a constant; others do not.

    >>> less, sure = torch.tensor([[0.1, 0.0]]), torch.tensor([[99.0, 0.0]])
    >>> official_rises([less, sure], torch.tensor([0]))  # right, and surer with less: 1 - 0.525
    tensor(0.4750)
    """
    total = links[0].new_zeros(())
    for before, after in itertools.pairwise(links):
        sure, surer = confidence(before), confidence(after)
        right = before.argmax(dim=1) == labels
        wrong = ~right & (after.argmax(dim=1) != labels)
        total = total + ((surer - sure) * right).relu().sum()
        total = total + ((surer - sure.detach()) * wrong).relu().sum()
    return total


def batch_rises(links: Sequence[Tensor]) -> Tensor:
    """Return sum_k relu(sum_i (c_k+1,i - c_k,i)), a scalar: rises and falls of a batch cancel.

    >>> unsure, sure = torch.tensor([[0.0, 0.0]]), torch.tensor([[99.0, 0.0]])
    >>> batch_rises([torch.cat([unsure, sure]), torch.cat([sure, unsure])])
    tensor(0.)
    """
    sums = torch.stack([confidence(z).sum() for z in links])
    return (sums[1:] - sums[:-1]).relu().sum()
