"""The audit of a data set: everything that is found, as it stands in results/audit."""

from __future__ import annotations

from collections import Counter
from typing import Any

from equipoise.audit.faults import constant, cut, raters, rejects
from equipoise.audit.leaks import contradictions, leaks
from equipoise.audit.samples import Comparison, Samples, comparisons, items
from equipoise.audit.words import label_words
from equipoise.data.manifest import SUBSETS


def audit(samples: Samples) -> dict[str, Any]:
    """Return what is found, JSON-like; every finding has counts, shares and names of samples."""
    compared = comparisons(samples)
    whole = Comparison("item", "", "whole samples", items(samples))
    several = len(samples.manifest.modalities) > 1
    sides = Counter(samples.sides)
    return {
        "dataset": samples.dataset,
        "samples": {side: sides[side] for side in SUBSETS},
        "leaks": leaks(samples, compared),
        "contradictions": contradictions(samples, [*compared, *([whole] if several else [])]),
        "cut": cut(samples),
        "constant": constant(samples),
        "rejects": rejects(samples),
        "label_words": label_words(samples),
        "raters": raters(samples),
    }
