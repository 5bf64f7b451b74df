"""The report's part on damaged modalities: accuracy over severity, and the area below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from equipoise.evaluation.collect import DatasetResults, Run
from equipoise.evaluation.plots import percent
from equipoise.evaluation.report_results import marks, plus_minus
from equipoise.evaluation.statistics import mean_interval
from equipoise.evaluation.svg import Scale, element, picture, polyline

ABOUT = (
    "Accuracy of the fused prediction on the test split while one modality is damaged and the "
    "others are whole, mean over seeds. Severity 0: nothing is changed; 1: nothing is left of the "
    "modality but noise. The damage is the same for every method; the area below the curve is the "
    "mean accuracy over all severities."
)


def robustness_part(
    results: DatasetResults, colours: Mapping[str, int], level: float
) -> dict[str, Any]:
    """Return curves and areas of every method."""
    modalities = results.modalities
    return {
        "about": ABOUT,
        "legend": marks(modalities, colours),
        "panels": [
            {"title": key, "picture": _curves(key, list(runs.values()), colours)}
            for key, runs in results.runs.items()
        ],
        "header": [*(f"{m} damaged" for m in modalities), "Mean"],
        "rows": [
            (key, _areas(list(runs.values()), modalities, level))
            for key, runs in results.runs.items()
        ],
    }


def _areas(runs: Sequence[Run], modalities: Sequence[str], level: float) -> list[tuple[str, str]]:
    found = [run.metrics["robustness"] for run in runs]
    columns = [[one["modalities"][m]["area"] for one in found] for m in modalities]
    columns.append([one["mean_area"] for one in found])
    intervals = [mean_interval(values, level) for values in columns]
    return [(percent(interval.mean), plus_minus(interval)) for interval in intervals]


def _curves(title: str, runs: Sequence[Run], colours: Mapping[str, int]) -> Markup:
    """Draw the mean accuracy over severity, a line for each damaged modality."""
    found = [run.metrics["robustness"] for run in runs]
    severity = found[0]["severity"]
    x, y = Scale(0, 1, 30, 292), Scale(0, 1, 150, 10)
    parts = _frame(x, y)
    said = []
    for m in found[0]["modalities"]:
        levels = [one["modalities"][m]["accuracy"] for one in found]
        means = [sum(values) / len(values) for values in zip(*levels, strict=True)]
        points = [(x(s), y(v)) for s, v in zip(severity, means, strict=True)]
        parts.append(polyline(points, f"m{colours[m]}" if m in colours else "fused"))
        said.append(f"{m} {percent(means[0])} to {percent(means[-1])}")
    label = f"{title}: accuracy from severity 0 to 1, in percent: {', '.join(said)}"
    return picture(300, 172, label, *parts)


def _frame(x: Scale, y: Scale) -> list[Markup]:
    parts = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        place = y(value)
        parts.append(element("line", x1=x.start, x2=x.end, y1=place, y2=place, class_="grid"))
        words = f"{100 * value:g}"
        parts.append(element("text", words, x=25, y=place + 4, class_="tick", text_anchor="end"))
        words = f"{value:g}"
        middle = {"y": 166, "class_": "tick", "text_anchor": "middle"}
        parts.append(element("text", words, x=x(value), **middle))
    return parts
