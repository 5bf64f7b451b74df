"""The comparison of methods: one row for each data set and method, for comparison.csv and .json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from equipoise import files, registry, vouch
from equipoise.errors import UserError
from equipoise.evaluation.collect import DatasetResults, GapFit, Run
from equipoise.evaluation.gap_score import GapScore, score_posterior
from equipoise.evaluation.statistics import (
    Difference,
    Interval,
    holm,
    mean_interval,
    paired_difference,
)

LEADING = (
    "dataset",
    "method",
    "variant",
    "seeds",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "macro_f1",
    "gap_auroc",
)
#: Numbers of which the table has the mean alone, without limits.
MEAN_ONLY = ("map", "ece")
DIFFERENCE = ("difference", "difference_low", "difference_high", "p_value", "p_value_holm")
#: Of comparison.json, beside the data sets: a name that none of them can have.
VOUCHED = "vouched for"
CONTROL = ("control", *(f"control_{name}" for name in DIFFERENCE))


@dataclass(frozen=True)
class Row:
    """One method on one data set."""

    dataset: str
    key: str
    method: str
    variant: str
    seeds: int
    intervals: dict[str, Interval]
    """accuracy, macro_f1, accuracy_<modality>, modality_gap, accuracy_unspoiled (if they apply),
    map, ece."""
    gap_auroc: float | None
    difference: Difference | None
    """Accuracy minus that of the baseline; None for the baseline itself."""
    selection: str
    p_value_holm: float | None = field(default=None)
    control: str = ""
    """The best control of the data set (see :func:`best_control`); empty where there is none."""
    control_difference: Difference | None = None
    """Accuracy minus that of the best control; None for that control and for the baseline."""
    control_p_value_holm: float | None = None


def rows(results: DatasetResults, baseline: str, level: float) -> list[Row]:
    """Compute the rows of one data set, in the order of the grid."""
    accuracy = {
        key: {seed: float(run.metrics["test"]["accuracy"]) for seed, run in runs.items()}
        for key, runs in results.runs.items()
    }
    keys = [key for key in results.runs if key != baseline]
    differences = _differences(accuracy, keys, baseline, level)
    adjusted = _adjusted(differences)
    control = best_control(results, baseline)
    to_control = _differences(accuracy, [key for key in keys if key != control], control, level)
    control_adjusted = _adjusted(to_control)
    auroc = mean_auroc(results)
    warm = results.warm
    table = []
    for key, runs in results.runs.items():
        first = next(iter(runs.values())).metrics
        table.append(
            Row(
                dataset=results.dataset,
                key=key,
                method=first["name"],
                variant=first["variant"],
                seeds=len(runs),
                intervals=_intervals(list(runs.values()), level),
                gap_auroc=auroc if key in warm else None,
                difference=differences.get(key),
                selection="+".join(sorted({run.metrics["selection"] for run in runs.values()})),
                p_value_holm=adjusted.get(key),
                control=control,
                control_difference=to_control.get(key),
                control_p_value_holm=control_adjusted.get(key),
            )
        )
    return table


def _differences(
    accuracy: Mapping[str, Mapping[int, float]], keys: Sequence[str], other: str, level: float
) -> dict[str, Difference]:
    if other not in accuracy:
        return {}
    return {key: paired_difference(accuracy[key], accuracy[other], level) for key in keys}


def _adjusted(differences: Mapping[str, Difference]) -> dict[str, float | None]:
    return holm({key: difference.p_value for key, difference in differences.items()})


def best_control(results: DatasetResults, baseline: str) -> str:
    """Return the control with the highest mean accuracy on validation, empty where there is none.

    Controls are the methods of grade "baseline" (see :data:`equipoise.registry.GRADES`) but for the
    baseline itself. The test split does not decide which one is the best.
    """
    means = {
        key: fmean(run.metrics["val"]["accuracy"] for run in runs.values())
        for key, runs in results.runs.items()
        if key != baseline and registry.methods()[run_name(runs)].grade == "baseline"
    }
    return max(means, key=lambda key: means[key], default="")


def run_name(runs: Mapping[int, Run]) -> str:
    """Return the method's name, without variant and label."""
    return str(next(iter(runs.values())).metrics["name"])


def flat_metrics(metrics: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of one metrics.json that are compared, without those that do not apply."""
    test, unspoiled = metrics["test"], metrics.get("test_unspoiled")
    flat = {"accuracy": test["accuracy"], "macro_f1": test["macro_f1"]}
    for modality, value in sorted(test["accuracy_by_modality"].items()):
        flat[f"accuracy_{modality}"] = value
    flat["modality_gap"] = test["modality_gap"]
    flat["accuracy_unspoiled"] = unspoiled["accuracy"] if unspoiled else None
    flat |= {name: test[name] for name in MEAN_ONLY}
    return {name: float(value) for name, value in flat.items() if value is not None}


def _intervals(runs: Sequence[Run], level: float) -> dict[str, Interval]:
    values = [flat_metrics(run.metrics) for run in runs]
    names = [name for name in values[0] if all(name in v for v in values)]
    return {name: mean_interval([v[name] for v in values], level) for name in names}


def gap_scores(results: DatasetResults) -> dict[int, GapScore]:
    """Score each seed's posterior against the truth; empty when nobody knows the truth."""
    if results.corruption is None:
        return {}
    truth = results.corruption
    return {
        seed: score_posterior(_posterior(gap), truth, results.modalities)
        for seed, gap in results.gaps.items()
    }


def _posterior(gap: GapFit) -> dict[str, float]:
    table = gap.table
    return dict(zip(table["sample_id"], map(float, table["posterior_imbalanced"]), strict=True))


def mean_auroc(results: DatasetResults) -> float | None:
    """Mean over seeds of the overall AUROC; None when no seed has one."""
    found = [s.overall for s in gap_scores(results).values() if s.overall is not None]
    return mean_interval(found, 0.95).mean if found else None


def header(modalities: Sequence[str]) -> list[str]:
    """Return the columns of comparison.csv; the contract is the order up to ``modality_gap``."""
    accuracies = [f"accuracy_{m}" for m in modalities]
    limits = [
        f"{name}_{side}"
        for name in ("macro_f1", *accuracies, "modality_gap", "accuracy_unspoiled")
        for side in ("low", "high")
    ]
    behind = ("modality_gap", *DIFFERENCE, *CONTROL, "accuracy_unspoiled", "selection")
    return [*LEADING, *accuracies, *behind, *limits, *MEAN_ONLY, "level", "key"]


def cells(row: Row, level: float) -> dict[str, Any]:
    """Return one row of comparison.csv; what does not apply is left out."""
    values: dict[str, Any] = {
        "dataset": row.dataset,
        "method": row.method,
        "variant": row.variant,
        "seeds": row.seeds,
        "gap_auroc": row.gap_auroc,
        "selection": row.selection,
        "level": level,
        "key": row.key,
        "p_value_holm": row.p_value_holm,
        "control": row.control or None,
        "control_p_value_holm": row.control_p_value_holm,
    }
    intervals = dict(row.intervals)
    if row.difference is not None:
        intervals["difference"] = row.difference.interval
        values["p_value"] = row.difference.p_value
    if row.control_difference is not None:
        intervals["control_difference"] = row.control_difference.interval
        values["control_p_value"] = row.control_difference.p_value
    for name, interval in intervals.items():
        values[name] = interval.mean
        if name not in MEAN_ONLY:
            values |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {name: value for name, value in values.items() if value is not None}


def nested(table: Sequence[Row], level: float) -> dict[str, dict[str, dict[str, float]]]:
    """Return data set -> method key -> numbers, as ``dvc metrics show`` and ``diff`` like it.

    Without the limits of intervals, which would make the table of ``dvc metrics show`` three times
    as wide; they are in comparison.csv.
    """
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    for row in table:
        values = {
            name: value
            for name, value in cells(row, level).items()
            if isinstance(value, int | float) and not name.endswith(("_low", "_high"))
        }
        numbers.setdefault(row.dataset, {})[row.key] = values
    return numbers


def write_numbers(path: Path, numbers: Mapping[str, Any], *others: Path) -> None:
    """Write comparison.json, which vouches for the files beside it as other records do.

    What it says of them stands in a list: ``dvc metrics show`` makes a column of every other word.
    """
    whole = vouch.sealed({**numbers, vouch.KEY: vouch.of(*others)})
    said = {key: whole.pop(key) for key in (vouch.KEY, vouch.OWN)}
    files.write_json(path, {**whole, VOUCHED: [said]})


def read_numbers(path: Path) -> dict[str, Any]:
    """Read comparison.json, with what it vouches for under :data:`equipoise.vouch.KEY`.

    Raises:
        UserError: No such file, not from stage compare, or changed.
    """
    again = "run `equipoise compare`"
    record: dict[str, Any] = files.read_json(path, again)
    said = record.pop(VOUCHED, None)
    if said is not None:
        if not (isinstance(said, list) and len(said) == 1 and isinstance(said[0], dict)):
            raise UserError(f"{path}: changed since it was written; restore it, or {again}")
        record |= said[0]
    if not vouch.expect_itself(path, record, again):
        raise UserError(f"{path}: carries no digest of itself; {again}")
    del record[vouch.OWN]
    return record
