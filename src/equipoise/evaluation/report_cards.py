"""The report's method cards: what each method of the grid is, says of itself, and needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise import registry

HEADER = (
    "Grade",
    "Proposed for",
    "Extra state",
    "Cost, joint = 1",
    "Assumes",
    "Paper",
)
ABOUT = (
    "Of each method: how sure it is that this is the published one, the optimiser it was proposed "
    "for, what it keeps in a checkpoint beside model and optimiser, CPU time of a training as a "
    "multiple of joint’s where it was measured (docs/study.md), and what must hold for it to do "
    "what it is for."
)


def card_part(keys: Sequence[str]) -> dict[str, Any]:
    """Return the cards of the methods behind the keys of the grid, each method once."""
    described = registry.describe_methods()
    names = dict.fromkeys(key.partition("-")[0] for key in keys)
    grades = sorted({described[name]["grade"] for name in names} & registry.GRADES.keys())
    return {
        "about": ABOUT,
        "grades": "; ".join(f"{grade}: {registry.GRADES[grade]}" for grade in grades) + ".",
        "header": HEADER,
        "rows": [(name, _cells(described[name])) for name in names],
    }


def _cells(one: Mapping[str, Any]) -> list[str]:
    assumes = [f"modalities: {one['modalities']}", *one["assumes"]]
    return [
        one["grade"],
        one["optimizer"],
        one["state"],
        _cost(one["cost"]),
        "; ".join(assumes),
        one["paper"],
    ]


def _cost(cost: Mapping[str, Mapping[str, float]]) -> str:
    found = [multiple for rows in cost.values() for multiple in rows.values()]
    if not found:
        return "not measured"
    low, high = min(found), max(found)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
