"""What each modality contributes: scores with the others absent, Shapley values of the accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from equipoise.coalitions import Coalition, coalitions, shapley
from equipoise.console import log
from equipoise.evaluation.metrics import Labels, Logits, accuracy, macro_f1, predict_classes

#: With more modalities, only the single ones, all but one and all are scored: 2^M grows fast.
MOST = 6

#: Key of the empty subset.
NONE = "none"


def subset_key(modalities: Coalition) -> str:
    """Return the name of a subset: its modalities sorted and joined by ``+``."""
    return "+".join(sorted(modalities)) or NONE


def contributions(
    labels: Labels,
    train_labels: Labels,
    modalities: Sequence[str],
    logits: Callable[[list[str]], Logits],
) -> dict[str, Any]:
    """Score every subset of the modalities and share the accuracy out among them.

    Args:
        labels: True classes (N,).
        train_labels: Classes of the training split, for the empty subset: it always answers with
            their most frequent class (the first of several).
        modalities: Names of all.
        logits: From the modalities that are present, in the order of ``modalities``, to the fused
            logits (N, C).

    Returns:
        ``subsets``: name of the subset (:func:`subset_key`) to ``accuracy`` and ``macro_f1``;
        ``shapley``: modality to its exact Shapley value, where a subset is worth its accuracy. They
        add up to the accuracy of all minus that of the empty subset. None with more than
        :data:`MOST` modalities, of which not every subset is scored.

    Raises:
        UserError: Logits that are not finite.
    """
    majority = np.full_like(labels, np.bincount(train_labels).argmax())
    scored = {Coalition(): _scores(labels, majority)}
    for subset in _subsets(modalities):
        present = [m for m in modalities if m in subset]
        what = f"the prediction from {subset_key(subset)}"
        scored[subset] = _scores(labels, predict_classes(logits(present), what))
    complete = len(modalities) <= MOST
    return {
        "subsets": {subset_key(subset): scores for subset, scores in scored.items()},
        "shapley": shapley({s: v["accuracy"] for s, v in scored.items()}) if complete else None,
    }


def _subsets(modalities: Sequence[str]) -> list[Coalition]:
    if len(modalities) <= MOST:
        return coalitions(modalities)
    log.warning(
        "%d modalities: only single ones, all but one and all are scored, and no Shapley values "
        "are computed (at most %d)",
        len(modalities),
        MOST,
    )
    every = Coalition(modalities)
    return [*(Coalition([m]) for m in modalities), *(every - {m} for m in modalities), every]


def _scores(labels: Labels, predicted: Labels) -> dict[str, float]:
    return {"accuracy": accuracy(labels, predicted), "macro_f1": macro_f1(labels, predicted)}
