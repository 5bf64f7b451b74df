"""Pairs of bit strings of which few bits differ, among many, without comparing all with all.

Strings are cut into one part more than bits may differ: two that are near agree in a part (the
pigeonhole principle, as in multi-index hashing: Norouzi, Punjani and Fleet, CVPR 2012). How many
bits may differ grows with the number of bits set, so strings are taken in bands of about as many.
Where so many agree in a part that comparing all is cheaper (a fixed camera), all are compared.
Memory grows with the number of strings, never with that of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

#: Strings that are compared with each other at once.
_BLOCK = 512
#: Pairs whose bits are counted at once.
_PAIRS = 1 << 14
#: To count the bits of one pair takes as long as so many pairs of a matrix product.
_DEAR = 4

Packed = NDArray[np.uint8]
Counts = NDArray[np.int64]
Rows = NDArray[np.intp]


def pairs(packed: Packed, tolerance: float) -> Iterator[tuple[int, int]]:
    """Yield the pairs that differ in at most ``tolerance`` of the bits that are set in both.

    Args:
        packed: (strings, bytes), eight bits in each.
        tolerance: |a xor b| <= tolerance (|a| + |b|).

    Yields:
        Rows of a pair, some of them more than once.
    """
    every = np.bitwise_count(packed).sum(axis=1, dtype=np.int64)
    order = np.argsort(every, kind="stable")
    counts = every[order]
    # |a xor b| is at least ||a| - |b||: two that are near are apart by this factor at most.
    apart = (1 + tolerance) / (1 - tolerance) * (1 + 1e-9)
    start = 0
    while start < len(order):
        reach = counts[start] * apart
        end = int(np.searchsorted(counts, reach * apart, side="right"))
        band = order[start:end]
        for a, b in _of_band(packed[band], counts[start:end], tolerance):
            yield from zip(band[a].tolist(), band[b].tolist(), strict=True)
        start = int(np.searchsorted(counts, reach, side="right"))


def _of_band(packed: Packed, counts: Counts, tolerance: float) -> Iterator[tuple[Rows, Rows]]:
    if len(packed) < 2:
        return
    keys = _keys(packed, int(2 * tolerance * counts[-1]) + 1)
    agree = 0
    for part in keys:
        many = np.unique(part, return_counts=True)[1]
        agree += int((many * (many - 1) // 2).sum())
    if _DEAR * agree > len(packed) * (len(packed) - 1) // 2:
        yield from _all(packed, counts, tolerance)
        return
    for part in keys:
        for a, b in _agreeing(part):
            differ = np.bitwise_count(packed[a] ^ packed[b]).sum(axis=1, dtype=np.int64)
            near = differ <= tolerance * (counts[a] + counts[b])
            yield a[near], b[near]


def _keys(packed: Packed, parts: int) -> NDArray[np.uint64]:
    """Return (parts, strings): a number for each part of each string, the same for the same bits.

    A part is every ``parts``-th bit, so that all have as many bits set; its number is the sum of
    numbers drawn for these bits. Different parts with one number cost time, and change nothing.
    """
    bits = packed.shape[1] * 8
    parts = min(parts, bits)
    weights = np.random.default_rng(0).integers(1, 2**63, bits, dtype=np.uint64)
    order = np.argsort(np.arange(bits) % parts, kind="stable")
    starts = np.searchsorted(np.sort(np.arange(bits) % parts), np.arange(parts))
    keys = np.empty((parts, len(packed)), np.uint64)
    for start in range(0, len(packed), _BLOCK):
        block = np.unpackbits(packed[start : start + _BLOCK], axis=1)[:, order]
        sums = np.add.reduceat(block * weights[order], starts, axis=1)
        keys[:, start : start + _BLOCK] = sums.T
    return keys


def _agreeing(part: NDArray[np.uint64]) -> Iterator[tuple[Rows, Rows]]:
    """Yield rows of pairs with the same number, not many at once."""
    order = np.argsort(part, kind="stable")
    ordered = part[order]
    here = np.arange(len(order))
    for step in range(1, len(order)):
        here = here[here + step < len(order)]
        here = here[ordered[here] == ordered[here + step]]
        if not len(here):
            return
        for start in range(0, len(here), _PAIRS):
            some = here[start : start + _PAIRS]
            yield order[some], order[some + step]


def _all(packed: Packed, counts: Counts, tolerance: float) -> Iterator[tuple[Rows, Rows]]:
    """Compare all with all: |a xor b| = |a| + |b| - 2 a.b, the last by a matrix product."""

    def rows(start: int) -> NDArray[np.float32]:
        return np.unpackbits(packed[start : start + _BLOCK], axis=1).astype(np.float32)

    for start in range(0, len(packed), _BLOCK):
        block = rows(start)
        for other in range(start, len(packed), _BLOCK):
            total = counts[start : start + _BLOCK, None] + counts[None, other : other + _BLOCK]
            near = total - 2 * (block @ rows(other).T) <= tolerance * total
            a, b = np.nonzero(near)
            later = start + a < other + b
            yield start + a[later], other + b[later]
