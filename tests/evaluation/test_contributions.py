"""Scores of subsets of modalities, and their Shapley values against all orders of arrival."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from equipoise.errors import UserError
from equipoise.evaluation.contributions import MOST, contributions

LABELS = np.array([0, 1, 2, 2, 1, 0, 2])
TRAIN = np.array([1, 2, 1, 2, 0])  # 1 and 2 tie: the first of them is always answered


def game(modalities, seed=3):
    """Made-up logits that differ for every subset, and those subsets in the order asked."""
    rng = np.random.default_rng(seed)
    asked = {}

    def logits(present):
        assert tuple(present) not in asked
        return asked.setdefault(tuple(present), rng.normal(size=(len(LABELS), 3)))

    return contributions(LABELS, TRAIN, modalities, logits), asked


@pytest.mark.parametrize("modalities", [["v"], ["v", "a"], ["v", "a", "i"], ["v", "a", "i", "t"]])
def test_every_subset_once_and_shapley_by_brute_force(modalities):
    found, asked = game(modalities)
    worth = {frozenset(): 2 / 7}  # two of seven are of class 1
    for present, logits in asked.items():
        assert list(present) == [m for m in modalities if m in present]
        predicted = logits.argmax(1)
        worth[frozenset(present)] = np.mean(predicted == LABELS)
        scores = found["subsets"]["+".join(sorted(present))]
        assert scores["accuracy"] == worth[frozenset(present)]
        assert scores["macro_f1"] == pytest.approx(f1_score(LABELS, predicted, average="macro"))
    assert len(found["subsets"]) == 2 ** len(modalities) == len(asked) + 1
    assert found["subsets"]["none"]["accuracy"] == pytest.approx(2 / 7)
    for m in modalities:
        gains = []
        for order in permutations(modalities):
            before = frozenset(order[: order.index(m)])
            gains.append(worth[before | {m}] - worth[before])
        assert found["shapley"][m] == pytest.approx(np.mean(gains), abs=1e-12)
    total = worth[frozenset(modalities)] - worth[frozenset()]
    assert sum(found["shapley"].values()) == pytest.approx(total, abs=1e-12)


def test_many_modalities_are_not_scored_in_every_subset(caplog):
    names = [f"m{i}" for i in range(MOST + 1)]
    found, asked = game(names)
    assert sorted({len(present) for present in asked}) == [1, MOST, MOST + 1]
    assert len(asked) == 2 * len(names) + 1
    assert found["shapley"] is None
    assert "7 modalities: only single ones, all but one and all are scored" in caplog.text


def test_a_subset_that_gives_no_number_is_named():
    def logits(present):
        return np.full((len(LABELS), 3), np.nan if present == ["a"] else 0.0)

    with pytest.raises(UserError, match="the prediction from a gives logits that are not finite"):
        contributions(LABELS, TRAIN, ["v", "a"], logits)
