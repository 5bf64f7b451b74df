"""Accuracy against the damage done to one modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEVERITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""0: nothing is changed; 1: nothing is left of the modality (see ``corrupt`` of its kind)."""


def robustness(
    labels: NDArray[np.int64],
    features: Mapping[str, NDArray[np.float32]],
    damaged: Callable[[str, float], NDArray[np.float32]],
    logits: Callable[[Mapping[str, NDArray[np.float32]]], NDArray[np.float32]],
) -> dict[str, Any]:
    """Measure the accuracy of the fused prediction while one modality is damaged, the others whole.

    Args:
        labels: True classes (N,).
        features: Modality to features (N, D) of the samples as they are.
        damaged: Modality and severity to features (N, D) of the damaged samples.
        logits: Features of all modalities to fused logits (N, C).

    Returns:
        ``severity``; for each modality its ``accuracy`` at each severity and the ``area`` below
        (trapezoids over [0, 1]: the mean accuracy over all severities); ``mean_area``.
    """
    from equipoise.evaluation.metrics import predict_classes

    def accuracy(changed: Mapping[str, NDArray[np.float32]]) -> float:
        return float((predict_classes(logits(changed), "the fused output") == labels).mean())

    by_modality: dict[str, dict[str, Any]] = {}
    for m in features:
        levels = []
        for severity in SEVERITIES:
            changed = features[m] if severity == 0 else damaged(m, severity)
            levels.append(accuracy({**features, m: changed}))
        by_modality[m] = {"accuracy": levels, "area": area(levels)}
    areas = [curve["area"] for curve in by_modality.values()]
    return {
        "severity": list(SEVERITIES),
        "modalities": by_modality,
        "mean_area": sum(areas) / len(areas),
    }


def area(levels: list[float]) -> float:
    """Return the area below values at equally spaced places of [0, 1], by trapezoids."""
    return sum((a + b) / 2 for a, b in pairwise(levels)) / (len(levels) - 1)
