"""What the numbers say, in plain sentences that claim no more than the intervals do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from equipoise.evaluation.collect import DatasetResults, Run
from equipoise.evaluation.comparison import Row, gap_scores
from equipoise.evaluation.contributions import NONE
from equipoise.evaluation.gap_score import AIM, UNDERTRAINED, undertrained
from equipoise.evaluation.plots import percent

#: The method whose encoders are trained alone: what each modality can reach.
REFERENCE = "unimodal"

#: Differences of heads smaller than this are not worth a sentence.
SMALL = 0.01


def headline(table: Sequence[Row], baseline: str, level: float) -> str:
    """Say which method is best on the test split and whether that is established."""
    best = max(table, key=lambda row: row.intervals["accuracy"].mean)
    reached = f"{percent(best.intervals['accuracy'].mean)} % test accuracy"
    if len(table) == 1:
        return f"{best.key} reaches {reached}; nothing else was run to compare it with."
    if best.key == baseline:
        return f"No method has a higher mean than {baseline}, which reaches {reached}."
    if best.difference is None:
        return f"{best.key} has the highest mean, {reached}; {baseline} was not run."
    gain = best.difference.interval
    lead = f"{percent(gain.mean)} points above {baseline}"
    if gain.low is None or gain.high is None:
        return (
            f"{best.key} has the highest mean, {reached}, {lead}; with one seed this may be chance."
        )
    limits = f"{100 * level:g} % interval {signed(gain.low)} to {signed(gain.high)}"
    if established(best, level):
        return f"{best.key} is best: {reached}, {lead} ({limits})."
    return (
        f"{best.key} has the highest mean, {reached}, but its lead of {percent(gain.mean)} points "
        f"over {baseline} is not established ({limits}{_holm_words(best)})."
    )


def established(row: Row, level: float) -> bool:
    """Whether the interval excludes zero and Holm's p-value, if any, is at most 1 - level."""
    if row.difference is None or not row.difference.excludes_zero:
        return False
    return row.p_value_holm is None or row.p_value_holm <= 1 - level


def _holm_words(row: Row) -> str:
    if row.difference is None or not row.difference.excludes_zero or row.p_value_holm is None:
        return ", which includes zero"
    return f"; p = {p_text(row.p_value_holm)} after Holm’s correction"


def signed(value: float) -> str:
    """Return a difference of fractions in points with its sign; never a zero that is none."""
    digits = 1 if abs(value) >= 0.0005 or not value else 2
    return f"{100 * value:+.{digits}f}".replace("-", "−")


def comparisons(table: Sequence[Row], level: float) -> list[str]:
    """Say which differences to the baseline are established, one sentence."""
    compared = [row for row in table if row.difference and row.difference.interval.low is not None]
    if not compared:
        return []
    found = [row for row in compared if established(row, level)]
    names = ", ".join(
        f"{row.key} ({signed(row.difference.interval.mean)})" for row in found if row.difference
    )
    return [
        f"Differences to the baseline that are established after Holm’s correction for "
        f"{len(compared)} comparison{'s' if len(compared) > 1 else ''}: {names or 'none'}."
    ]


def p_text(p: float) -> str:
    """Return a p-value with two or three digits, or ``< 0.001``."""
    if p < 0.001:
        return "< 0.001"
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}"


def deficits(table: Sequence[Row], modalities: Sequence[str], key: str) -> dict[str, float]:
    """Return how far each head of method ``key`` stays below its encoder trained alone.

    Empty when the reference or the method is not in the table. Fractions; positive: below.
    """
    by_key = {row.key: row for row in table}
    alone = reference_row(table)
    if alone is None or key not in by_key:
        return {}
    names = {m: f"accuracy_{m}" for m in modalities}
    here, there = by_key[key].intervals, alone.intervals
    return {m: there[n].mean - here[n].mean for m, n in names.items() if n in here and n in there}


def reference_row(table: Sequence[Row]) -> Row | None:
    """Return the row of the unimodal reference, if it was run."""
    return next((row for row in table if row.method == REFERENCE), None)


def neglect(table: Sequence[Row], modalities: Sequence[str], baseline: str) -> list[str]:
    """Say which modality the baseline neglects, by how much, and what balancing wins back."""
    if len(modalities) < 2:
        return ["One modality: there is nothing to balance."]
    below = deficits(table, modalities, baseline)
    base = next((row for row in table if row.key == baseline), None)
    if base is None:
        return []
    if not below:
        return [_without_reference(base, modalities)]
    worst = max(below, key=lambda m: below[m])
    head = base.intervals[f"accuracy_{worst}"].mean
    if below[worst] < SMALL:
        return [
            f"Under {baseline}, no head is {percent(SMALL)} point or more below what its encoder "
            "reaches alone: no modality is neglected here."
        ]
    said = [
        f"Under {baseline}, the {worst} head reaches {percent(head)} %, "
        f"{percent(below[worst])} points below the same encoder trained alone "
        f"({percent(head + below[worst])} %): {worst} is the neglected modality."
    ]
    return [*said, *_won_back(table, worst, base)]


def _without_reference(base: Row, modalities: Sequence[str]) -> str:
    heads = {m: base.intervals[f"accuracy_{m}"].mean for m in modalities}
    strong, weak = max(heads, key=lambda m: heads[m]), min(heads, key=lambda m: heads[m])
    return (
        f"Under {base.key}, the {strong} head is {percent(heads[strong] - heads[weak])} points "
        f"ahead of the {weak} head. Whether {weak} is neglected or just harder cannot be said: "
        f"{REFERENCE} was not run."
    )


def _won_back(table: Sequence[Row], worst: str, base: Row) -> list[str]:
    name = f"accuracy_{worst}"
    others = [
        row
        for row in table
        if row.key != base.key and row.method != REFERENCE and name in row.intervals
    ]
    if not others:
        return []
    gained = {row.key: row.intervals[name].mean - base.intervals[name].mean for row in others}
    ranked = sorted((key for key in gained if gained[key] >= SMALL), key=lambda key: -gained[key])
    if not ranked:
        return [f"No balancing method wins back {percent(SMALL)} point or more of it."]
    return [f"Points won back: {', '.join(f'{key} {percent(gained[key])}' for key in ranked)}."]


def at_chance(results: DatasetResults) -> list[str]:
    """Name the modalities that no method brings above always answering the most frequent class.

    Above means: by more than two standard errors of a share of so many test samples.
    """
    runs = [run for by_seed in results.runs.values() for run in by_seed.values()]
    if not runs or not len(runs[0].predictions):
        return []
    chance = fmean(run.metrics["subsets"][NONE]["accuracy"] for run in runs)
    limit = chance + 2 * math.sqrt(chance * (1 - chance) / len(runs[0].predictions))
    said = []
    for modality in results.modalities:
        best = max(
            fmean(run.metrics["test"]["accuracy_by_modality"][modality] for run in by_seed.values())
            for by_seed in results.runs.values()
            if all(modality in r.metrics["test"]["accuracy_by_modality"] for r in by_seed.values())
        )
        if best <= limit:
            said.append(
                f"At chance: {modality} alone reaches {percent(best)} % at best, always answering "
                f"the most frequent class {percent(chance)} %, by luck up to {percent(limit)} %. "
                "What is stored of it, or its encoder, does not fit: look at the samples below and "
                "at its settings before anything is said about balance."
            )
    return said


def alone_unspoiled(results: DatasetResults) -> list[str]:
    """Say what each modality reaches alone on unspoiled test clips, where these are known."""
    runs = next(
        (runs for runs in results.runs.values() if runs and _name(runs) == REFERENCE), {}
    ).values()
    scores = [run.metrics["test_unspoiled"] for run in runs]
    if not scores or not all(scores):
        return []
    means = {
        m: fmean(score["accuracy_by_modality"][m] for score in scores) for m in results.modalities
    }
    words = ", ".join(f"{m} {percent(mean)} %" for m, mean in means.items())
    return [f"Alone, on unspoiled test clips: {words}."]


def _name(runs: Mapping[int, Run]) -> str:
    return str(next(iter(runs.values())).metrics["name"])


def gap_problems(results: DatasetResults) -> list[str]:
    """Say what keeps the mixture from being judged: missing files, bad fit quality, no fit."""
    if not results.warm:
        return []
    said = []
    if results.missing_gaps:
        said.append(f"Missing: the files of stage gap of seeds {_list(results.missing_gaps)}.")
    if low := undertrained(fit_quality(results)):
        verb = "is" if len(low) == 1 else "are each"
        said.append(
            f"Undertrained: after the warm-up, {_list(low)} {verb} below {100 * UNDERTRAINED:g} % "
            "on its own training clips; the gap then says little about balance."
        )
    unsure = [seed for seed, gap in results.gaps.items() if not gap.fit["identifiable"]]
    if unsure:
        said.append(
            f"Not identifiable: in {len(unsure)} of {len(results.gaps)} fits (seeds "
            f"{_list(unsure)}) the data do not support two components, and the methods fell back "
            "to equal posteriors."
        )
    return said


def gap_verdict(results: DatasetResults) -> list[str]:
    """Say how well the posterior finds the spoiled clips, and whether that meets the aim."""
    return _auroc_words(results) if results.warm and results.gaps else []


def _auroc_words(results: DatasetResults) -> list[str]:
    scores = gap_scores(results)
    found = [score.overall for score in scores.values() if score.overall is not None]
    if not found:
        return ["The manifest does not say which clips are spoiled, so no AUROC can be given."]
    mean = fmean(found)
    aim = "reaches" if mean >= AIM else "misses"
    return [
        f"The posterior of “imbalanced” finds the spoiled training clips with an AUROC of "
        f"{mean:.3f} (mean of {len(found)} seed{'s' if len(found) > 1 else ''}); "
        f"that {aim} the aim of {AIM}."
    ]


def fit_quality(results: DatasetResults) -> dict[str, float]:
    """Return each modality's accuracy on the training split after the warm-up, mean over seeds."""
    fits = [gap.fit for gap in results.gaps.values()]
    names = [m for m in results.modalities if all(f"accuracy_{m}" in fit for fit in fits)]
    return {m: fmean(fit[f"accuracy_{m}"] for fit in fits) for m in names} if fits else {}


def _list(items: Sequence[object]) -> str:
    return ", ".join(str(item) for item in items)
