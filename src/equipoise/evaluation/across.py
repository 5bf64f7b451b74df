"""What the data sets say together of each method: for comparison.json and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.evaluation.comparison import Row
from equipoise.evaluation.ranks import Ranks, Signed, common, ranks, signed_rank

KEY = "across data sets"
"""Of comparison.json, beside the data sets: a name that none of them can have."""


@dataclass(frozen=True)
class Standing:
    """One method over all data sets."""

    rank: float
    worst: tuple[str, float] | None
    """The data set with the least difference to the baseline; None for the baseline."""
    baseline: Signed | None
    """Against the baseline."""
    control: Signed | None
    """Against the best control of each data set; None for one that is itself the best."""


@dataclass(frozen=True)
class Across:
    """All methods over all data sets."""

    ranks: Ranks
    standings: dict[str, Standing]
    """In the order of the ranks."""


def across(table: Sequence[Row], baseline: str, level: float) -> Across | None:
    """Return the standings; None with fewer than two data sets or three methods in common."""
    rows: dict[str, dict[str, Row]] = {}
    for row in table:
        rows.setdefault(row.dataset, {})[row.key] = row
    scores = {
        d: {key: row.intervals["accuracy"].mean for key, row in one.items()}
        for d, one in rows.items()
    }
    found = ranks(scores, level)
    if found is None:
        return None
    shared = common(scores)
    standings = {
        key: _standing(rank, [rows[d][key] for d in shared]) for key, rank in found.mean.items()
    }
    return Across(found, standings)


def _standing(rank: float, rows: Sequence[Row]) -> Standing:
    to_baseline = {r.dataset: r.difference.interval.mean for r in rows if r.difference}
    to_control = [
        r.control_difference.interval.mean for r in rows if r.control_difference is not None
    ]
    worst = min(to_baseline.items(), key=lambda item: item[1], default=None)
    return Standing(
        rank,
        worst,
        signed_rank(list(to_baseline.values())) if len(to_baseline) == len(rows) else None,
        signed_rank(to_control) if len(to_control) == len(rows) else None,
    )


def numbers(found: Across | None) -> dict[str, Any]:
    """Return what comparison.json holds of it, under :data:`KEY`; empty where there is nothing."""
    if found is None:
        return {}
    one: dict[str, Any] = {
        "data_sets": found.ranks.datasets,
        "critical_difference": found.ranks.critical,
        "methods": {key: _of_method(standing) for key, standing in found.standings.items()},
    }
    if found.ranks.p_value is not None:
        one["p_value_friedman"] = found.ranks.p_value
    return {KEY: one}


def _of_method(standing: Standing) -> dict[str, float]:
    values = {"mean_rank": standing.rank}
    if standing.worst is not None:
        values["worst_difference"] = standing.worst[1]
    for name, signed in (("baseline", standing.baseline), ("control", standing.control)):
        if signed is not None:
            values |= {
                f"worse_than_{name}": signed.worse,
                f"same_as_{name}": signed.same,
                f"better_than_{name}": signed.better,
            }
    return values
