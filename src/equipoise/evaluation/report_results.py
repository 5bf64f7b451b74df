"""The report's parts about methods: result table, heads, learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from equipoise.evaluation import curves, plots
from equipoise.evaluation.collect import DatasetResults, warmup_epochs
from equipoise.evaluation.comparison import Row
from equipoise.evaluation.findings import REFERENCE, p_text, reference_row, signed
from equipoise.evaluation.gap_score import AIM
from equipoise.evaluation.plots import percent
from equipoise.evaluation.statistics import Difference, Interval, sampling_half_width
from equipoise.evaluation.svg import element


@dataclass(frozen=True)
class Cell:
    """A number of the table: what is shown, and the very value that stands in comparison.csv."""

    column: str
    value: float
    text: str
    note: str = ""
    main: bool = False


def result_rows(
    table: Sequence[Row], modalities: Sequence[str], baseline: str
) -> list[dict[str, Any]]:
    """Return one entry of the result table for each method."""
    accuracies = [row.intervals["accuracy"] for row in table]
    differences = [row.difference.interval for row in table if row.difference]
    limits = plots.span(accuracies)
    around = plots.span(differences, (0.0,)) if differences else (0.0, 1.0)
    best = max(interval.mean for interval in accuracies)
    return [
        {
            "key": row.key,
            "best": row.intervals["accuracy"].mean == best,
            "tag": _tag(row, baseline),
            "accuracy": cell(row, "accuracy", main=True),
            "accuracy_plot": plots.interval_strip(row.intervals["accuracy"], limits, False, True),
            "difference": _difference("difference", row.difference),
            "difference_plot": _difference_plot(row, around),
            "p_value": _p_value("p_value_holm", row.p_value_holm),
            "control": _difference("control_difference", row.control_difference),
            "control_p": _p_value("control_p_value_holm", row.control_p_value_holm),
            "macro_f1": cell(row, "macro_f1"),
            "heads": [cell(row, f"accuracy_{m}") for m in modalities],
            "gap": cell(row, "modality_gap"),
            "unspoiled": cell(row, "accuracy_unspoiled"),
        }
        for row in table
    ]


def _tag(row: Row, baseline: str) -> str:
    if row.key == baseline:
        return "baseline"
    return "reference" if row.method == REFERENCE else ""


def cell(row: Row, name: str, main: bool = False) -> Cell | None:
    """Return a number of comparison.csv with its interval; None where it does not apply."""
    interval = row.intervals.get(name)
    if interval is None:
        return None
    return Cell(name, interval.mean, percent(interval.mean), plus_minus(interval), main)


def plus_minus(interval: Interval) -> str:
    """Return ``± 1.2`` in percent, or nothing where there is no interval."""
    return "" if interval.half_width is None else f"± {percent(interval.half_width)}"


def _difference(column: str, difference: Difference | None) -> Cell | None:
    if difference is None:
        return None
    interval = difference.interval
    return Cell(column, interval.mean, signed(interval.mean), plus_minus(interval))


def _difference_plot(row: Row, limits: tuple[float, float]) -> Markup:
    if row.difference is None:
        return Markup("")
    strong = row.difference.excludes_zero
    return plots.interval_strip(row.difference.interval, limits, True, strong)


def _p_value(column: str, p: float | None) -> Cell | None:
    return None if p is None else Cell(column, p, p_text(p))


def result_words(table: Sequence[Row], samples: int, level: float) -> dict[str, str]:
    """Return caption and explanation of the result table."""
    seeds = max(row.seeds for row in table)
    name = f"{100 * level:g} %"
    accuracy = max(row.intervals["accuracy"].mean for row in table)
    doubt = percent(sampling_half_width(accuracy, samples, level))
    if seeds < 2:
        caption = "one seed, so there are no intervals and no tests"
        intervals = (
            "One seed was run: how much training varies is unknown, so no interval is given."
        )
    else:
        caption = f"mean of {seeds} seeds, ± half of the {name} interval"
        intervals = (
            f"Intervals ({name}, Student's t) and paired differences are over {seeds} training "
            "seeds; a full dot marks a difference whose interval excludes zero."
        )
    about = (
        f"{intervals} Apart from that, {samples} test clips alone leave an accuracy of "
        f"{percent(accuracy)} % uncertain by ± {doubt} points, which the methods share."
    )
    return {"caption": caption, "about": about}


def heads(
    table: Sequence[Row], modalities: Sequence[str], colours: Mapping[str, int]
) -> dict[str, Any]:
    """Return the picture of each modality's own head for every method."""
    alone = reference_row(table)
    reference = _means(alone, modalities) if alone else {}
    by_row = {
        row.key: {m: row.intervals[f"accuracy_{m}"] for m in _means(row, modalities)}
        for row in table
    }
    found = [interval for values in by_row.values() for interval in values.values()]
    low, high = plots.span(found)
    limits = (max(low, 0.0), min(high, 1.0))
    about = "Test accuracy of each modality's own head, in percent."
    if reference:
        about += f" Dashed: what the same encoder reaches alone ({alone.key})." if alone else ""
        about += " The further a mark stays left of its dashed line, the more it is neglected."
    return {
        "rows": [
            {"key": key, "picture": plots.heads_strip(values, reference, limits, colours)}
            for key, values in by_row.items()
        ],
        "axis": plots.axis_strip(limits),
        "about": about,
        "legend": marks(modalities, colours) + (_dashed("alone") if reference else []),
    }


def _means(row: Row, modalities: Sequence[str]) -> dict[str, float]:
    names = {m: f"accuracy_{m}" for m in modalities}
    return {m: row.intervals[n].mean for m, n in names.items() if n in row.intervals}


def marks(modalities: Sequence[str], colours: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the legend of the modalities."""
    return [
        {"picture": _small(plots.mark(colours[m], "50%", 8), 16), "text": m} for m in modalities
    ]


def _dashed(words: str) -> list[dict[str, Any]]:
    line = element("line", x1=1, x2=25, y1=8, y2=8, class_="fused line ref")
    return [{"picture": _small(line, 26), "text": words}]


def _small(content: Markup, width: int) -> Markup:
    return element("svg", content, width=width, height=16, aria_hidden="true")


def learning(
    results: DatasetResults, table: Sequence[Row], colours: Mapping[str, int]
) -> dict[str, Any]:
    """Return the learning curves of every method, on shared axes."""
    alone = reference_row(table)
    reference = _curves(results, alone.key, fused=False) if alone else {}
    lines = {key: _curves(results, key, fused=True) for key in results.runs}
    last = max((c.epochs[-1] for found in lines.values() for c in found.values()), default=1)
    about = "Validation accuracy in percent over epochs: mean over seeds, range shaded."
    if alone:
        about += f" Dashed: the same encoder alone ({alone.key})." + _speed(reference)
    legend = [{"picture": _small(_stroke("fused"), 26), "text": "fused prediction"}]
    for m in results.modalities:
        legend.append({"picture": _small(_stroke(f"m{colours[m]}"), 26), "text": f"{m} head"})
    legend += _dashed("alone") if alone else []
    legend += [{"picture": swatch("warm"), "text": "warm-up"}] if results.warm else []
    return {
        "about": about,
        "legend": legend,
        "panels": [
            {
                "title": key,
                "picture": plots.learning_curves(
                    key,
                    found,
                    {} if alone and key == alone.key else reference,
                    colours,
                    last,
                    warmup_epochs(next(iter(results.runs[key].values())).model),
                ),
            }
            for key, found in lines.items()
            if found
        ],
    }


def _stroke(tone: str) -> Markup:
    return element("line", x1=1, x2=25, y1=8, y2=8, class_=f"{tone} line")


def _curves(results: DatasetResults, key: str, fused: bool) -> dict[str, curves.Curve]:
    runs = results.runs[key]
    series = {"fused": "val_accuracy"} if fused else {}
    series |= {m: f"val_accuracy_{m}" for m in results.modalities}
    found = {name: curves.curve(runs, column) for name, column in series.items()}
    return {name: line for name, line in found.items() if line is not None}


def _speed(reference: Mapping[str, curves.Curve]) -> str:
    if len(reference) < 2:
        return ""
    reached = {m: curves.epochs_to_reach(line) for m, line in reference.items()}
    words = ", ".join(f"{m} after {n}" for m, n in sorted(reached.items(), key=lambda i: i[1]))
    return f" Alone, 90 % of the best value is reached: {words} epochs."


def swatch(class_: str) -> Markup:
    """Return a small square for a legend."""
    return _small(element("rect", x=2, y=2, width=12, height=12, class_=class_), 16)


def stroke(class_: str) -> Markup:
    """Return a short line for a legend."""
    return _small(element("line", x1=1, x2=25, y1=8, y2=8, class_=class_), 26)


def tiles(
    table: Sequence[Row], below: Mapping[str, float], baseline: str, auroc: float | None
) -> list[dict[str, str]]:
    """Return the three or four numbers that say most."""
    best = max(table, key=lambda row: row.intervals["accuracy"].mean)
    accuracy = best.intervals["accuracy"]
    found = [_tile("Best test accuracy", percent(accuracy.mean), "%", best.key, accuracy)]
    if best.difference is not None:
        interval = best.difference.interval
        value = signed(interval.mean)
        found.append(_tile(f"Against {baseline}", value, "points", best.key, interval))
    if below:
        worst = max(below, key=lambda m: below[m])
        value, note = percent(-below[worst]), f"{worst} head under {baseline}, against alone"
        found.append(
            {"name": "Furthest below alone", "value": value, "unit": "points", "note": note}
        )
    if auroc is not None:
        aim = "reached" if auroc >= AIM else "missed"
        note = f"finding spoiled training clips; aim of {AIM} {aim}"
        found.append({"name": "Gap AUROC", "value": f"{auroc:.3f}", "unit": "", "note": note})
    return found


def _tile(name: str, value: str, unit: str, key: str, interval: Interval) -> dict[str, str]:
    show = signed if unit == "points" else percent
    limits = ""
    if interval.low is not None and interval.high is not None:
        limits = f", {show(interval.low)} to {show(interval.high)}"
    return {"name": name, "value": value, "unit": unit, "note": key + limits}
