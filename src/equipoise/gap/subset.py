"""The purified subset: samples that the mixture calls balanced, without losing a class."""

import numpy as np
from numpy.typing import NDArray

from equipoise.gap.mixture import Array

CLASS_FLOOR = 0.1
"""At least this part of each class is kept, its most balanced samples first (our choice)."""


def balanced_subset(
    posterior_balanced: Array, gaps: Array, labels: NDArray[np.int64], threshold: float
) -> tuple[NDArray[np.bool_], list[int]]:
    """Choose samples whose posterior of 'balanced' reaches ``threshold``.

    Args:
        posterior_balanced: (N,).
        gaps: (N,); among equal posteriors the smaller gap, whatever its sign, is more balanced.
        labels: (N,).
        threshold: In [0, 1].

    Returns:
        The mask (N,) of chosen samples, and the labels of classes that were filled up to
        ``CLASS_FLOOR`` of their samples because the threshold left fewer.

    >>> balanced = np.array([0.9, 0.2, 0.6, 0.1])
    >>> balanced_subset(balanced, 1 - balanced, np.array([0, 0, 1, 1]), 0.5)
    (array([ True, False,  True, False]), [])
    """
    keep = posterior_balanced >= threshold
    filled = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        floor = int(np.ceil(CLASS_FLOOR * len(members)))
        if keep[members].sum() < floor:
            order = np.lexsort((np.abs(gaps[members]), -posterior_balanced[members]))
            keep[members[order[:floor]]] = True
            filled.append(int(label))
    return keep, filled
