"""Whether each modality alone is above chance on the validation split: for ``equipoise check``.

The test split is not asked: what is looked at before the settings are changed decides them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from equipoise import layout, vouch
from equipoise.evaluation.statistics import wilson

LEVEL = 0.95


@dataclass(frozen=True)
class Alone:
    """How much of the validation split one modality gets right alone."""

    accuracy: float
    samples: int
    chance: float
    """Share of the most frequent class: what always answering it gets right."""
    how: str
    """What reached it, in words."""

    @property
    def limits(self) -> tuple[float, float]:
        """Of the 95 % Wilson interval: so many samples are a draw of all."""
        return wilson(self.accuracy, self.samples, LEVEL)

    @property
    def at_chance(self) -> bool:
        """Whether the interval does not lie above chance."""
        return self.limits[0] <= self.chance


def line(modality: str, found: Alone) -> str:
    """Say it in one line, as a warning where the modality is at chance."""
    low, high = (f"{100 * limit:.1f}" for limit in found.limits)
    said = (
        f"modality {modality!r} alone: {found.how} {100 * found.accuracy:.1f} % of "
        f"{found.samples} validation samples right ({100 * LEVEL:g} % interval {low} to {high}), "
        f"always answering the most frequent class {100 * found.chance:.1f} %"
    )
    if not found.at_chance:
        return f"note: {said}"
    return (
        f"warning: {said}: at chance; look at its settings and its encoder before anything is "
        "said about balance"
    )


def trained(dataset: str) -> dict[str, Alone]:
    """Return modality to what its own head reached in the best method that was evaluated here.

    Returns:
        Nothing where no result is. Of a method the mean over its seeds.

    Raises:
        UserError: A metrics.json is not as it was written.
    """
    runs: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for path in sorted(Path().glob(str(layout.evaluate(dataset, "*", "*")["metrics"]))):
        record = vouch.read(path, "run stage evaluate again")
        runs[str(record["method"])].append(record["val"])
    best: dict[str, Alone] = {}
    for method, scores in runs.items():
        known = set.intersection(*(set(score["accuracy_by_modality"]) for score in scores))
        for modality in sorted(known):
            accuracy = fmean(score["accuracy_by_modality"][modality] for score in scores)
            if modality not in best or accuracy > best[modality].accuracy:
                samples, chance = _of_classes(scores[0]["confusion"])
                how = f"its head in {method}, the best of {len(runs)} method(s), has"
                best[modality] = Alone(accuracy, samples, chance, how)
    return best


def _of_classes(confusion: list[list[int]]) -> tuple[int, float]:
    """Return the number of samples and the share of the largest class (rows are the truth)."""
    counts = [sum(row) for row in confusion]
    return sum(counts), max(counts) / sum(counts)
