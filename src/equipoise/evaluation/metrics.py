"""Classification metrics of one trained model, for the fused output and for every modality.

Written out in NumPy, to the bit what scikit-learn and SciPy give (the tests compare them): to
import these takes longer than all the rest of an evaluation of a small data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import UserError

Logits = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


def score(
    labels: Labels, logits: Logits, modality_logits: Mapping[str, Logits], classes: int
) -> dict[str, Any]:
    """Score the fused logits and each modality's own head.

    Args:
        labels: True classes, (N,), 0 <= label < classes.
        logits: Fused logits, (N, C).
        modality_logits: Logits of each modality's own head, (N, C) each.
        classes: Number of classes C.

    Returns:
        ``samples``; ``accuracy``, ``macro_f1``, ``map`` (:func:`mean_average_precision`) and
        ``ece`` (:func:`calibration_error`) of the fused output, and of each head as
        ``<name>_by_modality``; ``absent_classes`` (numbers of the classes without a sample, which
        ``map`` leaves out); ``modality_gap`` (best minus worst modality accuracy; None with fewer
        than two modalities) and ``confusion`` (C rows of truth by C columns of prediction).

    Raises:
        UserError: No sample, or logits that are not finite.
    """
    predicted = predict_classes(logits, "the fused output")
    for modality, values in sorted(modality_logits.items()):
        predict_classes(values, f"the {modality} head")
    if not len(labels):
        raise UserError("no sample to score; check split.csv")
    fused = _scores(labels, logits)
    heads = {m: _scores(labels, values) for m, values in sorted(modality_logits.items())}
    accuracies = [scores["accuracy"] for scores in heads.values()]
    return {
        "samples": len(labels),
        **fused,
        **{f"{name}_by_modality": {m: s[name] for m, s in heads.items()} for name in fused},
        "absent_classes": sorted(set(range(classes)) - set(labels.tolist())),
        "modality_gap": max(accuracies) - min(accuracies) if len(accuracies) > 1 else None,
        "confusion": confusion(labels, predicted, classes).tolist(),
    }


def _scores(labels: Labels, logits: Logits) -> dict[str, float]:
    predicted, p = logits.argmax(axis=1), probabilities(logits)
    return {
        "accuracy": accuracy(labels, predicted),
        "macro_f1": macro_f1(labels, predicted),
        "map": mean_average_precision(labels, p),
        "ece": calibration_error(labels, p),
    }


def predict_classes(logits: Logits, what: str) -> Labels:
    """Return the class of the largest logit, (N, C) -> (N,); the first one when several tie.

    Raises:
        UserError: ``logits`` (of ``what``) hold NaN or infinity.
    """
    if not np.isfinite(logits).all():
        raise UserError(f"{what} gives logits that are not finite; the training diverged")
    return np.asarray(logits.argmax(axis=1), dtype=np.int64)


def probabilities(logits: Logits) -> NDArray[np.float64]:
    """Return the softmax of logits (N, C), in double precision."""
    z = np.asarray(logits, dtype=np.float64)
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    p: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return p


def true_class_probability(labels: Labels, logits: Logits) -> NDArray[np.float64]:
    """Return the softmax probability of the true class, (N,), in double precision."""
    return probabilities(logits)[np.arange(len(labels)), labels]


def mean_average_precision(labels: Labels, p: NDArray[np.float64]) -> float:
    """Return the mean over classes of the average precision of that class against the rest.

    Average precision is sum_n (R_n - R_n-1) P_n over the samples ranked by the probability of the
    class, without interpolation. Classes without a sample have none and are left out.

    Args:
        labels: True classes (N,), at least one.
        p: Probabilities (N, C).
    """
    present = np.unique(labels)
    return float(np.mean([_average_precision(labels == k, p[:, k]) for k in present]))


def _average_precision(hit: NDArray[np.bool_], p: NDArray[np.float64]) -> float:
    order = np.argsort(-p)
    # Samples of the same probability share a rank, the last one's.
    rank = np.append(np.flatnonzero(np.diff(p[order])) + 1, len(p))
    hits = np.cumsum(hit[order])[rank - 1]
    gained = np.diff(hits / hits[-1], prepend=0.0)
    return float(np.sum((gained * (hits / rank))[::-1]))


def calibration_error(labels: Labels, p: NDArray[np.float64], bins: int = 15) -> float:
    """Return the expected calibration error of the top class (Guo et al., 2017, Eq. 3).

    sum_b n_b / N |accuracy_b - confidence_b| over ``bins`` equal bins ((b - 1)/B, b/B] of the
    largest probability. It depends on the number of bins and is biased upwards for few samples.

    Args:
        labels: True classes (N,), at least one.
        p: Probabilities (N, C).
        bins: B.
    """
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.digitize(confidence, edges[1:-1], right=True)
    surplus = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(surplus).sum() / len(labels))


def accuracy(labels: Labels, predicted: Labels) -> float:
    """Return the fraction of (N,) predictions that are right."""
    return float(np.mean(labels == predicted))


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """Unweighted mean of F1 over the classes that occur in the truth or in the predictions."""
    count = 1 + max(labels.max(), predicted.max())
    right = np.bincount(labels[labels == predicted], minlength=count)
    either = np.bincount(labels, minlength=count) + np.bincount(predicted, minlength=count)
    return float(np.mean(2 * right[either > 0] / either[either > 0]))


def confusion(labels: Labels, predicted: Labels, classes: int) -> Labels:
    """Count the samples of each true class (rows) and predicted class (columns): (C, C)."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)
