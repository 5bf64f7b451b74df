"""Which samples are the same, or look the same: one key for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.modalities.base import Trace

#: Two pictures look the same when at most this share of the bits set in them differs. Of 400 clips
#: of one talker before one wall (GRID, three frames of 64 x 64) no two differ in less than 3.7 %;
#: copies encoded again (x264, CRF 30) differ from their originals in 2.2 to 3.5 %.
TOLERANCE = 0.03
#: Rows that are compared at once.
_BLOCK = 512


def keys(traces: Sequence[Trace]) -> list[str]:
    """Return a key for each sample, the same for those that are or look the same; empty: none."""
    number: dict[str, int] = {}
    for trace in traces:
        if trace.same:
            number.setdefault(trace.same, len(number))
    first = {trace.same: trace.bits for trace in reversed(traces) if trace.bits is not None}
    parent = list(range(len(number)))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    known = [number[same] for same in first]
    for a, b in _pairs(list(first.values())):
        low, high = sorted((root(known[a]), root(known[b])))
        parent[high] = low
    return [str(root(number[trace.same])) if trace.same else "" for trace in traces]


def _pairs(bits: Sequence[NDArray[np.bool_]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of pictures that look the same.

    The number of differing bits is |a| + |b| - 2 a.b. It is at least ||a| - |b||, so that pictures
    sorted by |a| are compared with the few that follow them only.
    """
    if len(bits) < 2:
        return
    counts = np.array([int(one.sum()) for one in bits])
    order = np.argsort(counts, kind="stable")
    counts, length = counts[order], len(bits[0])
    packed = np.stack([np.packbits(bits[one]) for one in order])

    def rows(start: int, stop: int) -> NDArray[np.float32]:
        return np.unpackbits(packed[start:stop], axis=1, count=length).astype(np.float32)

    ends = np.searchsorted(counts, counts * (1 + TOLERANCE) / (1 - TOLERANCE), side="right")
    for start in range(0, len(bits), _BLOCK):
        stop = min(start + _BLOCK, len(bits))
        block = rows(start, stop)
        for other in range(start, int(ends[stop - 1]), _BLOCK):
            end = min(other + _BLOCK, len(bits))
            total = counts[start:stop, None] + counts[None, other:end]
            near = total - 2 * (block @ rows(other, end).T) <= TOLERANCE * total
            for a, b in np.argwhere(near).tolist():
                if start + a < other + b:
                    yield int(order[start + a]), int(order[other + b])
