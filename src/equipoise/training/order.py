"""In which order an epoch takes its entries, and which of them share a batch.

An entry is one place of ``Plan.rows``: a row of the feature store may stand in several of them.
All of it is a function of plan, seed and epoch: a resumed run, and every process of a job that
shares its work, comes to the same batches.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from equipoise.modalities.draws import mixed

if TYPE_CHECKING:
    from equipoise.training.batch import Plan


def cut(rows: Tensor, batch_size: int) -> list[Tensor]:
    """Cut rows into batches; a last batch of one sample joins the one before.

    Batch statistics of a single sample are not defined.
    """
    batches = list(torch.split(rows, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def permutation(count: int, seed: tuple[int, int]) -> Tensor:
    """Return the places 0 to ``count`` in the order of the epoch ``seed`` = (seed, epoch)."""
    generator = torch.Generator().manual_seed(mixed(*seed, 0))
    return torch.randperm(count, generator=generator)


def arranged(count: int, batch_size: int, seed: tuple[int, int], plan: Plan) -> list[Tensor]:
    """Return the batches of an epoch, each the places (b,) of its entries; together all of them.

    Args:
        count: Entries.
        batch_size: Of every batch but the last of a group.
        seed: (seed, epoch).
        plan: ``ordered``, ``groups`` and ``alternate`` are read.

    Raises:
        ValueError: Not one group for each entry.
    """
    order = torch.arange(count) if plan.ordered else permutation(count, seed)
    if plan.groups is None:
        return cut(order, batch_size)
    if len(plan.groups) != count:
        raise ValueError(f"{len(plan.groups)} groups for {count} entries")
    group = torch.from_numpy(plan.groups)[order]
    parts = [cut(order[group == number], batch_size) for number in np.unique(plan.groups)]
    if not plan.alternate:
        return list(chain(*parts))
    return [batch for turn in zip_longest(*parts) for batch in turn if batch is not None]
