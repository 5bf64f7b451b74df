"""The report: one HTML file that needs nothing else and is the same bytes for the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise import provenance
from equipoise.evaluation import (
    report_across,
    report_audit,
    report_cards,
    report_modalities,
    report_results,
    report_robustness,
    report_samples,
)
from equipoise.evaluation.across import Across
from equipoise.evaluation.collect import DatasetResults
from equipoise.evaluation.comparison import Row, mean_auroc
from equipoise.evaluation.findings import (
    alone_unspoiled,
    at_chance,
    comparisons,
    deficits,
    gap_problems,
    gap_verdict,
    headline,
    neglect,
)
from equipoise.evaluation.plots import colours_of
from equipoise.evaluation.report_run import (
    run_facts,
    samples_shown,
    search_part,
    settings_shown,
)
from equipoise.params import CompareJob

READING = (
    "Every method had the same data, split, budget of epochs and rule for choosing the epoch; the "
    "best method is named by its mean on the test split.",
    "Intervals over seeds cover how much training varies on this one split. They do not cover "
    "which clips the test split holds, nor other data. They are symmetric, so that one near the "
    "top can pass 100.",
    "Differences are paired: the same seed with and without the method. p-values are of the paired "
    "t-test, adjusted by Holm's method over the methods of one data set; with a handful of seeds "
    "they are coarse, so read the interval first.",
    "Controls are methods that do a part of what others do and claim nothing; the best one is that "
    "with the highest mean accuracy on validation. A method that is not better than it owes its "
    "gain to what the control does, too.",
    "A head is a linear classifier on the features of one modality. The gap of heads is the best "
    "head's accuracy minus the worst one's.",
    "A modality counts as neglected when its head, trained together with the others, stays below "
    "the same encoder trained alone.",
)


def render(
    collected: Sequence[DatasetResults],
    table: Sequence[Row],
    settings: CompareJob,
    together: Across | None = None,
) -> str:
    """Return the report as HTML.

    Args:
        collected: What is known about each data set.
        table: The rows of comparison.csv.
        settings: Baseline, level and grid.
        together: What the data sets say together; None where they are too few.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    modalities = sorted({m for results in collected for m in results.modalities})
    colours = colours_of(modalities)
    sections = [
        _section(number, results, [row for row in table if row.dataset == results.dataset],
                 settings, colours)
        for number, results in enumerate(collected, 1)
    ]  # fmt: skip
    environment = Environment(
        loader=PackageLoader("equipoise", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["keep"] = lambda text: text.replace(" %", "\u00a0%")
    baseline = settings.compare.baseline
    text = environment.get_template("report.html.j2").render(
        title=_title(settings.datasets),
        facts=_facts(settings),
        baseline=baseline,
        sections=sections,
        across=report_across.across_part(together, baseline, settings.compare.level),
        cards=report_cards.card_part(settings.methods),
        reading=READING,
        made_by=_made_by(),
    )
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def _title(datasets: Sequence[str]) -> str:
    *others, last = datasets
    return f"How balanced training compares on {', '.join(others)}{' and ' * bool(others)}{last}"


def _facts(settings: CompareJob) -> str:
    def many(names: Sequence[object], what: str) -> str:
        return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"

    seeds = ", ".join(str(seed) for seed in settings.seeds)
    return f"{many(settings.methods, 'method')} · {many(settings.seeds, 'seed')} ({seeds})"


def _made_by() -> list[tuple[str, str]]:
    code = provenance.code()
    commit = code.commit or "unknown (no git repository)"
    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions().items())
    return [
        ("Report made at commit", commit + (" with uncommitted changes" if code.dirty else "")),
        ("Versions", versions),
    ]


def _section(
    number: int,
    results: DatasetResults,
    table: Sequence[Row],
    settings: CompareJob,
    colours: Mapping[str, int],
) -> dict[str, Any]:
    baseline, level = settings.compare.baseline, settings.compare.level
    modalities = results.modalities
    first = next(iter(next(iter(results.runs.values())).values()))
    words = report_results.result_words(table, first.metrics["test"]["samples"], level)
    heads = report_results.heads(table, modalities, colours)
    learning = report_results.learning(results, table, colours)
    below = deficits(table, modalities, baseline)
    return {
        "anchor": f"data-{number}",
        "dataset": results.dataset,
        "headline": headline(table, baseline, level),
        "findings": [
            *comparisons(table, level),
            *neglect(table, modalities, baseline),
            *alone_unspoiled(results),
            *at_chance(results),
            *gap_verdict(results),
        ],
        "warnings": [*_warnings(table), *gap_problems(results)],
        "tiles": report_results.tiles(table, below, baseline, mean_auroc(results)),
        "modalities": modalities,
        "caption": words["caption"],
        "results_about": words["about"],
        "rows": report_results.result_rows(table, modalities, baseline),
        "compared": any(row.difference for row in table),
        "drawn": len(table) > 1,
        "control": next((r.control for r in table if r.control_difference), ""),
        "spoiled_known": any("accuracy_unspoiled" in row.intervals for row in table),
        "audit_line": report_audit.audit_line(results),
        "audit": report_audit.audit_part(results),
        "heads": heads["rows"],
        "heads_axis": heads["axis"],
        "heads_about": heads["about"],
        "heads_legend": heads["legend"],
        "contributions": report_modalities.contribution_part(results, colours, level),
        "robustness": report_robustness.robustness_part(results, colours, level),
        "cost": report_modalities.cost_part(results, table, level),
        "search": search_part(results),
        "curves": learning["panels"],
        "curves_about": learning["about"],
        "curves_legend": learning["legend"],
        "gap": report_samples.gap_part(results, level),
        "spoiled": report_samples.spoiled_table(results),
        "confusion": report_samples.confusion_panels(results),
        "shown": samples_shown(results),
        "run": run_facts(results),
        "settings": settings_shown(results),
    }


def _warnings(table: Sequence[Row]) -> list[str]:
    oracle = [row.key for row in table if "oracle_test" in row.selection]
    if not oracle:
        return []
    return [
        f"The epoch of {', '.join(oracle)} was chosen on the test split (selection: oracle_test). "
        "These numbers are too good and are no estimate of anything; use them for ablation only."
    ]
