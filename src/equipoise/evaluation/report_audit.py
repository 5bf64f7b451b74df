"""The report's part about the data: leaks, contradictions, cut clips, as stage audit found them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from equipoise.audit import show
from equipoise.evaluation.collect import DatasetResults

#: Samples that are named with a finding; the file has more.
NAMED = 3
NAMES = {
    "leaks": "Two sides",
    "contradictions": "Two labels",
    "cut": "Cut",
    "constant": "Nothing in it",
    "rejects": "Not readable",
    "label_words": "Label in words",
    "raters": "Raters",
}


def audit_line(results: DatasetResults) -> str:
    """Return what of test stands in train, for the line under the result table."""
    return "; ".join(show.in_test(results.audit)) if results.audit else ""


def audit_part(results: DatasetResults) -> dict[str, Any] | None:
    """Return the table of findings; None where stage audit has not run."""
    if not results.audit:
        return None
    rows = [
        (NAMES[kind], text, ", ".join(_ids(one)))
        for kind in NAMES
        for one, text in show.rows(results.audit, kind)
    ]
    about = (
        f"What stage audit found in the data before anything was trained; results/audit/"
        f"{results.dataset}.json has the names of the samples."
    )
    return {"about": about if rows else "Stage audit found nothing in the data.", "rows": rows}


def _ids(one: show.Result) -> Iterator[str]:
    """Yield the first few names of samples that a finding is about."""
    listed = one.get("ids", [])
    yield from (_words(entry) for entry in listed[:NAMED])
    if len(listed) > NAMED:
        yield "…"


def _words(entry: str | Iterable[Any]) -> str:
    if isinstance(entry, str):
        return entry
    parts = [one if isinstance(one, str) else f"{one[0]} ({one[1]})" for one in entry]
    return " = ".join(parts[:NAMED]) + (" = …" if len(parts) > NAMED else "")
