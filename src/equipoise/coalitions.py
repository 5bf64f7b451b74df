"""Coalitions of modalities, and the Shapley value: what each modality adds to them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations
from operator import add
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Coalition = frozenset[str]
Value = TypeVar("Value", float, "Tensor")


def coalitions(modalities: Sequence[str]) -> list[Coalition]:
    """Return every non-empty subset of the modalities, the small ones first.

    >>> [sorted(c) for c in coalitions(["audio", "video"])]
    [['audio'], ['video'], ['audio', 'video']]
    """
    sizes = range(1, len(modalities) + 1)
    return [frozenset(c) for size in sizes for c in combinations(modalities, size)]


def shapley(values: Mapping[Coalition, Value]) -> dict[str, Value]:
    """Return phi_m = sum over S without m of |S|! (M-|S|-1)! / M! (v(S + m) - v(S)).

    Exact (Shapley, 1953). They add up to v of all modalities minus v({}). For two and v({}) = 0,
    phi_a = (v(a, b) - v(b) + v(a)) / 2.

    Args:
        values: v of every non-empty subset, and of the empty one where that is not 0.

    >>> values = {frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 4.0}
    >>> shapley(values)
    {'a': 1.5, 'b': 2.5}
    """
    modalities = sorted(Coalition().union(*values))
    count = len(modalities)
    shares = {}
    for m in modalities:
        parts = []
        for subset in (s for s in values if m in s):
            rest, size = values.get(subset - {m}), len(subset) - 1
            weight = math.factorial(size) * math.factorial(count - size - 1)
            gain = values[subset] if rest is None else values[subset] - rest
            parts.append(gain * (weight / math.factorial(count)))
        shares[m] = reduce(add, parts)
    return shares
