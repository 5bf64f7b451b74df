"""The report's parts on what each modality contributes, and on calibration and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from markupsafe import Markup

from equipoise.evaluation import plots
from equipoise.evaluation.collect import DatasetResults, Run
from equipoise.evaluation.comparison import Row
from equipoise.evaluation.contributions import NONE
from equipoise.evaluation.findings import signed
from equipoise.evaluation.plots import percent
from equipoise.evaluation.report_results import cell, marks, plus_minus
from equipoise.evaluation.statistics import Interval, mean_interval

#: With more modalities the table shows the subsets of one, of all but one and of all.
FULL_TABLE = 3

Part = dict[str, Any]


def contribution_part(
    results: DatasetResults, colours: Mapping[str, int], level: float
) -> Part | None:
    """Return Shapley values and accuracies of subsets; None with a single modality."""
    modalities = results.modalities
    if len(modalities) < 2:
        return None
    values = {
        key: {m: _interval(runs, ("shapley", m), level) for m in modalities}
        for key, runs in results.runs.items()
        if all(run.metrics["shapley"] for run in runs.values())
    }
    subsets = _shown(next(_runs(results)).metrics["subsets"], len(modalities))
    rows = []
    for key, runs in results.runs.items():
        empty, *found = (_interval(runs, ("subsets", s, "accuracy"), level) for s in subsets)
        cells = [(percent(empty.mean), "")]  # the same for every seed
        cells += [(percent(i.mean), plus_minus(i)) for i in found]
        cells += [(signed(i.mean), plus_minus(i)) for i in values.get(key, {}).values()]
        rows.append((key, cells))
    return {
        "about": _SHAPLEY + _ABSENT if values else _ABSENT,
        "legend": marks(modalities, colours),
        **_picture(values, colours),
        "caption": "Accuracy on the test split with these modalities present, in percent"
        + ("; Shapley values in points" if values else ""),
        "header": ["Majority class", *subsets[1:], *(f"Shapley {m}" for m in modalities if values)],
        "rows": rows,
    }


_SHAPLEY = (
    "Shapley value of each modality, in points of test accuracy: what it adds, on average over "
    "every order in which the modalities can arrive, starting from always answering with the most "
    "frequent training class. The values of a method add up to its accuracy above that answer. "
)
_ABSENT = (
    "The features of an absent modality are zeros, or its head is left out; nothing is trained "
    "anew."
)


def _picture(
    values: Mapping[str, Mapping[str, Interval]], colours: Mapping[str, int]
) -> dict[str, Any]:
    if not values:
        return {"pictures": [], "axis": Markup("")}
    limits = plots.span([i for found in values.values() for i in found.values()], (0.0,))
    return {
        "pictures": [
            {"key": key, "picture": plots.bars_strip(found, limits, colours)}
            for key, found in values.items()
        ],
        "axis": plots.axis_strip(limits),
    }


def _runs(results: DatasetResults) -> Iterator[Run]:
    return (run for runs in results.runs.values() for run in runs.values())


def _shown(subsets: Mapping[str, Any], count: int) -> list[str]:
    """Return the names of the subsets to show, the empty one first, then by size."""
    sizes = {name: 0 if name == NONE else len(name.split("+")) for name in subsets}
    shown = [
        n for n, size in sizes.items() if count <= FULL_TABLE or size in (0, 1, count - 1, count)
    ]
    return sorted(shown, key=lambda name: (sizes[name], name))


def _interval(runs: Mapping[int, Run], path: Sequence[str], level: float) -> Interval:
    return mean_interval([_number(run, path) for run in runs.values()], level)


def _number(run: Run, path: Sequence[str]) -> float:
    value: Any = run.metrics
    for name in path:
        value = value[name]
    return float(value)


def cost_part(results: DatasetResults, table: Sequence[Row], level: float) -> Part:
    """Return ranking, calibration and cost of every method."""
    devices = sorted({run.metrics["cost"]["device"] for run in _runs(results)})
    heads = [f"ECE of {m} head" for m in results.modalities]
    return {
        "about": "mAP: mean over classes of the average precision of the class against the rest. "
        "ECE: expected calibration error of the top class in 15 bins; 0 is calibrated. MFLOPs: "
        "matrix products and convolutions for one sample, all heads included. Milliseconds: one "
        f"measurement for each seed, in batches, on {'; '.join(devices)}; they vary with the load "
        "of the machine.",
        "header": ["mAP", "ECE", *heads, "Parameters", "MFLOPs a sample", "ms a sample"],
        "rows": [
            {
                "key": row.key,
                "scores": [cell(row, "map"), cell(row, "ece")],
                "cells": _cost_cells(results.runs[row.key], results.modalities, level),
            }
            for row in table
        ],
    }


def _cost_cells(
    runs: Mapping[int, Run], modalities: Sequence[str], level: float
) -> list[tuple[str, str]]:
    heads = [_interval(runs, ("test", "ece_by_modality", m), level) for m in modalities]
    parameters, flops, seconds = (
        fmean(_number(run, ("cost", name)) for run in runs.values())
        for name in ("parameters", "flops_per_sample", "seconds_per_sample")
    )
    return [
        *((percent(i.mean), plus_minus(i)) for i in heads),
        (f"{parameters:,.0f}", ""),
        (f"{flops / 1e6:,.2f}", ""),
        (f"{1e3 * seconds:,.3f}", ""),
    ]
