"""The report's parts about single samples: gaps, spoiled clips, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from equipoise.evaluation import raters
from equipoise.evaluation.collect import DatasetResults, GapFit, Run
from equipoise.evaluation.comparison import gap_scores
from equipoise.evaluation.findings import fit_quality
from equipoise.evaluation.gap_score import UNSPOILED
from equipoise.evaluation.plots import percent
from equipoise.evaluation.plots_samples import (
    common_confusions,
    confusion_matrix,
    gap_histogram,
    gap_range,
)
from equipoise.evaluation.report_results import stroke, swatch

#: Histograms are drawn for this many seeds; the tables hold all of them.
DRAWN = 3

Table = dict[str, Any]


def gap_part(results: DatasetResults, level: float) -> dict[str, Any] | None:
    """Return histograms and tables of stage gap; None when no method continued from the warm-up."""
    if not results.warm:
        return None
    if not results.gaps:
        return {"about": "The files of stage gap are missing.", "panels": [], "tables": []}
    about = (
        "How far the modalities of the warmed-up model disagree about the true class of each "
        "training clip, and the mixture of two Gaussians fitted to it. Counts are on a root scale."
    )
    if len(results.gaps) > DRAWN:
        about += f" The first {DRAWN} of {len(results.gaps)} seeds are drawn; the tables hold all."
    limits = gap_range(list(results.gaps.values()))
    truth = results.corruption or {}
    spoiled = {sample for sample, value in truth.items() if value not in UNSPOILED}
    panels = [
        {
            "title": f"seed {seed}",
            "note": _fit_note(gap),
            "picture": gap_histogram(f"seed {seed}", gap, spoiled, limits),
        }
        for seed, gap in list(results.gaps.items())[:DRAWN]
    ]
    return {
        "about": about,
        "panels": panels,
        "legend": _legend(bool(spoiled)),
        "tables": [_fit_table(results), *_raters(results, level)],
    }


def _raters(results: DatasetResults, level: float) -> list[Table]:
    tables = results.extract.get("settings", {}).get("modalities", {})
    gaps = [gap.table for gap in results.gaps.values()]
    found = raters.table(results.dataset, gaps, results.manifest, tables, level)
    return [found] if found else []


def _legend(truth: bool) -> list[dict[str, Any]]:
    bars = [("bin clean", "unspoiled clips" if truth else "clips")]
    bars += [("bin spoiled", "spoiled clips (stacked)")] if truth else []
    lines = [
        ("component line balanced", "component “balanced”"),
        ("component line imbalanced", "component “imbalanced”"),
    ]
    return [{"picture": swatch(c), "text": text} for c, text in bars] + [
        {"picture": stroke(c), "text": text} for c, text in lines
    ]


def _fit_note(gap: GapFit) -> str:
    fit = gap.fit
    parts = [] if fit["converged"] else ["not converged"]
    if fit["identifiable"]:
        parts.append("two components identifiable")
    else:
        parts.append(f"not identifiable: {fit['reason']}")
    return "; ".join(parts)


def _fit_table(results: DatasetResults) -> Table:
    modalities, scores = list(fit_quality(results)), gap_scores(results)
    parts = sorted({name for score in scores.values() for name in score.by_part})
    columns: list[list[float | None]] = []
    if scores:
        columns.append([scores[seed].overall for seed in results.gaps])
        columns += [[scores[seed].by_part.get(part) for seed in results.gaps] for part in parts]
    rows = [
        [f"seed {seed}", *_fit_cells(gap, modalities), *(_three(c[number]) for c in columns)]
        for number, (seed, gap) in enumerate(results.gaps.items())
    ]
    if len(rows) > 1 and columns:
        blank = [""] * (len(modalities) + 4)
        rows.append(["mean", *blank, *(_three(_mean(column)) for column in columns)])
    auroc = ["AUROC", *(f"{part} only" for part in parts)] if scores else []
    heads = [f"{m}, %" for m in modalities]
    return {
        "name": "Fit of each seed",
        "caption": "Accuracy of each head on the training clips after the warm-up, the mixture"
        + (", and the AUROC of its posterior “imbalanced” against the truth" if scores else ""),
        "header": ["", *heads, "Means", "Weights", "Best BIC", "Two components", *auroc],
        "rows": rows,
    }


def _fit_cells(gap: GapFit, modalities: Sequence[str]) -> list[str]:
    fit = gap.fit
    bic = {k: v for k, v in fit["bic"].items() if v is not None}
    return [
        *(percent(fit[f"accuracy_{m}"]) for m in modalities),
        ", ".join(f"{v:.3f}" for v in fit["means"]) or "–",
        ", ".join(f"{v:.2f}" for v in fit["weights"]) or "–",
        f"{min(bic, key=lambda k: bic[k])} components" if bic else "–",
        "yes" if fit["identifiable"] else "not identifiable",
    ]


def _by_kind(results: DatasetResults, truth: Mapping[str, str]) -> dict[str, list[str]]:
    """Return kind of spoil to training clips, mean gap, mean posterior."""
    import pandas as pd

    if not results.gaps:
        return {}
    table = pd.concat([gap.table for gap in results.gaps.values()])
    kinds = table["sample_id"].map(lambda sample: truth.get(sample, "") or "none")
    found = {}
    for kind, group in table.groupby(kinds):
        mean = group[["gap", "posterior_imbalanced"]].astype(float).mean()
        clips = str(group["sample_id"].nunique())
        found[str(kind)] = [clips, f"{mean.iloc[0]:.3f}", f"{mean.iloc[1]:.3f}"]
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return fmean(found) if found else None


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def spoiled_table(results: DatasetResults) -> Table | None:
    """Return gaps and test accuracy by kind of spoil; None when nobody knows the truth."""
    truth = results.corruption
    if truth is None or set(truth.values()) <= UNSPOILED:
        return None
    train, tested = _by_kind(results, truth), next(iter(results.runs.values()))
    counts: dict[str, int] = {}
    for sample in next(iter(tested.values())).predictions["sample_id"]:
        kind = truth.get(sample, "") or "none"
        counts[kind] = counts.get(kind, 0) + 1
    by_method = {
        key: [_accuracy_by_kind(run, truth) for run in runs.values()]
        for key, runs in results.runs.items()
    }
    rows = []
    for kind in sorted(counts.keys() | train.keys(), key=lambda kind: (kind != "none", kind)):
        row = [kind, *(train.get(kind, ["–"] * 3) if train else []), str(counts.get(kind, 0))]
        means = [_mean([scores.get(kind) for scores in found]) for found in by_method.values()]
        rows.append(row + ["–" if mean is None else percent(mean) for mean in means])
    gaps = ["Training clips", "Gap", "Posterior"] if train else []
    return {
        "caption": "By what was done to the clip, mean over seeds; accuracy in percent",
        "header": ["", *gaps, "Test clips", *by_method],
        "rows": rows,
    }


def _accuracy_by_kind(run: Run, truth: Mapping[str, str]) -> dict[str, float]:
    table = run.predictions
    right = (table["label"] == table["predicted"]).astype(float)
    kinds = table["sample_id"].map(lambda sample: truth.get(sample, "") or "none")
    return {str(kind): float(value) for kind, value in right.groupby(kinds).mean().items()}


def confusion_panels(results: DatasetResults) -> list[dict[str, Any]]:
    """Return the confusion matrix of every method, summed over seeds."""
    import numpy as np

    panels = []
    for key, runs in results.runs.items():
        metrics = [run.metrics for run in runs.values()]
        classes = [str(name) for name in metrics[0]["classes"]]
        counts = np.sum([m["test"]["confusion"] for m in metrics], axis=0).astype(np.int64)
        worst = common_confusions(counts, classes)
        words = ", ".join(f"{a} → {b} ({n})" for a, b, n in worst)
        note = f"Most frequent mistakes: {words}" if words else "No mistake."
        panels.append(
            {"title": key, "picture": confusion_matrix(key, counts, classes), "note": note}
        )
    return panels
