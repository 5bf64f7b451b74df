"""In which order an epoch takes its entries, and which of them share a batch.

An entry is one place of ``Plan.rows``: a row of the feature store may stand in several of them.
All of it is a function of plan, seed and epoch: a resumed run, and every process of a job that
shares its work, comes to the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise, zip_longest
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from equipoise.modalities.draws import mixed

if TYPE_CHECKING:
    from equipoise.training.batch import Plan


CHUNK = 64
"""Neighbours that stay together when an epoch is shuffled in windows: one read of the file."""


def cut(rows: Tensor, batch_size: int) -> list[Tensor]:
    """Cut rows into batches; a last batch of one sample joins the one before.

    Batch statistics of a single sample are not defined.
    """
    batches = list(torch.split(rows, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def permutation(count: int, seed: tuple[int, int], window: int | None = None) -> Tensor:
    """Return the places 0 to ``count`` in the order of the epoch ``seed`` = (seed, epoch).

    Args:
        count: Places.
        seed: (seed, epoch).
        window: See :func:`windows`.
    """
    return torch.cat(windows(count, seed, window))


def windows(count: int, seed: tuple[int, int], window: int | None) -> list[Tensor]:
    """Return the order of an epoch in parts, each of places that a few reads of the file bring.

    Places are cut into chunks of neighbours, at other borders in each epoch. Of W chunks in a row
    each of the W windows gets one, by lot, and each window is shuffled. So a window holds as much
    of every part of the file: of a file that is sorted by class, nearly the same of each class.

    Args:
        count: Places.
        seed: (seed, epoch).
        window: Places in a window, about; None, or no fewer than ``count``: one window, in which
            all permutations are equally likely.
    """
    generator = torch.Generator().manual_seed(mixed(*seed, 0))
    if window is None or window >= count:
        return [torch.randperm(count, generator=generator)]
    first = int(torch.randint(CHUNK, (), generator=generator))
    borders = [0, *range(CHUNK - first, count, CHUNK), count]
    chunks = [torch.arange(start, stop) for start, stop in pairwise(borders)]
    number = -(-count // max(window, CHUNK))
    dealt: list[list[Tensor]] = [[] for _ in range(number)]
    for start in range(0, len(chunks), number):
        lot = torch.randperm(number, generator=generator).tolist()
        for chunk, k in zip(chunks[start : start + number], lot, strict=False):
            dealt[k].append(chunk)
    parts = [torch.cat(part) for part in dealt]
    return [part[torch.randperm(len(part), generator=generator)] for part in parts]


def spans(batches: Sequence[Tensor], parts: Sequence[Tensor]) -> list[int]:
    """Return where the batches of an epoch go on to another window: ascending ends, the last all.

    Args:
        batches: The places of each.
        parts: What :func:`windows` gave.
    """
    window = torch.empty(sum(map(len, parts)), dtype=torch.int64)
    for number, part in enumerate(parts):
        window[part] = number
    of = [int(window[batch[0]]) for batch in batches]
    changes = [i for i in range(1, len(of)) if of[i] != of[i - 1]]
    return [*changes, len(of)]


def arranged(
    count: int, batch_size: int, seed: tuple[int, int], plan: Plan, window: int | None = None
) -> list[Tensor]:
    """Return the batches of an epoch, each the places (b,) of its entries; together all of them.

    Args:
        count: Entries.
        batch_size: Of every batch but the last of a group.
        seed: (seed, epoch).
        plan: ``ordered``, ``groups`` and ``alternate`` are read.
        window: See :func:`windows`.

    Raises:
        ValueError: Not one group for each entry.
    """
    order = torch.arange(count) if plan.ordered else permutation(count, seed, window)
    if plan.groups is None:
        return cut(order, batch_size)
    if len(plan.groups) != count:
        raise ValueError(f"{len(plan.groups)} groups for {count} entries")
    group = torch.from_numpy(plan.groups)[order]
    parts = [cut(order[group == number], batch_size) for number in np.unique(plan.groups)]
    if not plan.alternate:
        return list(chain(*parts))
    return [batch for turn in zip_longest(*parts) for batch in turn if batch is not None]
