"""The mathematics of AUG (Jiang, Huang, Yang, NeurIPS 2025), free of model and loop."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.gap.scores import true_class_score, true_class_scores

THREE_WAY = 0.8
"""The released code's 0.4 for three modalities, times their two others."""


def summed(logits: Sequence[Tensor]) -> Tensor:
    """Return the logits (B, C) of an ensemble: the sum over its classifiers."""
    return torch.stack(list(logits)).sum(dim=0)


def residual_weight(
    earlier: Sequence[Tensor], labels: Tensor, shrinkage: float, joint: bool
) -> Tensor:
    """Return what is left (B,) of the label of each sample for the newest classifier.

    The residual label y - lambda sum_j y * p_j is zero but at the true class, so it is this
    weight times y. It is a target: no gradient flows into it.

    Args:
        earlier: Logits (B, C) of each earlier classifier.
        labels: (B,).
        shrinkage: lambda.
        joint: False: p_j is the softmax of classifier j (paper). The sum may pass 1/lambda; the
            weight ends at 0 then, because a negative label rewards errors without bound (ours).
            True: one softmax of the summed logits (released code).

    >>> earlier = [torch.zeros(1, 2), torch.zeros(1, 2)]
    >>> residual_weight(earlier, torch.tensor([0]), 0.5, joint=False)
    tensor([0.5000])
    """
    with torch.no_grad():
        one = [summed(earlier)] if joint else earlier
        true = [true_class_score(z, labels) for z in one]
        return (1 - shrinkage * torch.stack(true).sum(dim=0)).clamp(min=0)


def boosting_loss(
    logits: Sequence[Tensor], labels: Tensor, shrinkage: float, joint: bool
) -> Tensor:
    """Return L_SUB of one modality, the mean over samples of eps + eps_all + eps_pre (Eq. 2 to 6).

    eps fits the newest classifier to the residual label, eps_all fits the sum of all classifiers
    and eps_pre that of all but the newest to y. A single classifier has plain cross-entropy.

    Args:
        logits: Logits (B, C) of each classifier, the newest last.
        labels: (B,).
        shrinkage: lambda.
        joint: See :func:`residual_weight`.

    >>> boosting_loss([torch.zeros(1, 2)], torch.tensor([0]), 0.33, joint=False)
    tensor(0.6931)
    """
    everything = functional.cross_entropy(summed(logits), labels)
    *earlier, newest = logits
    if not earlier:
        return everything
    weight = residual_weight(earlier, labels, shrinkage, joint)
    fit = (weight * functional.cross_entropy(newest, labels, reduction="none")).mean()
    return fit + everything + functional.cross_entropy(summed(earlier), labels)


def confidences(logits: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    """Return the sum over samples of the probability of the true class, (M,) in float64.

    Args:
        logits: Modality to the summed logits (B, C) of its classifiers.
        labels: (B,).

    >>> confidences({"audio": torch.zeros(3, 2)}, torch.tensor([0, 1, 0]))
    tensor([1.5000], dtype=torch.float64)
    """
    true = true_class_scores(logits, labels).values()
    return torch.stack([score.double().sum() for score in true])


def weaker(scores: Mapping[str, float], sigma: float, tolerance: float) -> list[str]:
    """Return the modalities that get a classifier: max_{o != m} s_o - sigma s_m > tau.

    For two modalities and sigma = 1 this is the weaker one, outside of a zone of +-tau.

    Args:
        scores: Modality to its mean confidence.
        sigma: Factor on the weaker one.
        tolerance: tau.

    >>> weaker({"audio": 0.8, "video": 0.5}, sigma=1.0, tolerance=0.01)
    ['video']
    """
    return [
        m
        for m, score in scores.items()
        if max(s for o, s in scores.items() if o != m) - sigma * score > tolerance
    ]


def weaker_by_ratio(scores: Mapping[str, float], sigma: float, tolerance: float) -> list[str]:
    """Return the modalities that get a classifier by the test of the released code.

    Two: r = s_1 / s_2; above sigma + tau the second, below sigma - tau the first. More: those
    whose ratio to the sum of all others is below 0.8 / (M - 1), 0.4 for three as in the code.

    Args:
        scores: Modality to its summed or mean confidence.
        sigma: Ratio that counts as balanced (two modalities only).
        tolerance: Half the width of the dead zone (two modalities only).

    >>> weaker_by_ratio({"audio": 0.8, "video": 0.5}, sigma=1.0, tolerance=0.01)
    ['video']
    """
    if len(scores) > 2:
        total, limit = sum(scores.values()), THREE_WAY / (len(scores) - 1)
        return [m for m, score in scores.items() if score < limit * (total - score)]
    for first, second in pairwise(scores):
        # Products, not a ratio: a modality may have no confidence at all.
        if scores[first] > (sigma + tolerance) * scores[second]:
            return [second]
        if scores[first] < (sigma - tolerance) * scores[second]:
            return [first]
    return []
