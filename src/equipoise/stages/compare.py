"""Stage compare: the table, the numbers for DVC, the curves, the report, and what they are."""

from equipoise import files, layout
from equipoise.params import CompareJob
from equipoise.stages.job import Job


def run(job: Job, settings: CompareJob) -> None:
    """Gather the grid of ``settings`` and write what :func:`equipoise.layout.compare` names.

    Raises:
        UserError: A run of the grid is missing.
    """
    from equipoise import tracking
    from equipoise.evaluation import across, comparison, crate, curves, report
    from equipoise.evaluation.collect import collect

    outputs = layout.compare()
    level, baseline = settings.compare.level, settings.compare.baseline
    with tracking.run(job, settings) as tracked:
        collected = [collect(d, settings.methods, settings.seeds) for d in settings.datasets]
        table = [row for results in collected for row in comparison.rows(results, baseline, level)]
        modalities = sorted({m for results in collected for m in results.modalities})
        header = comparison.header(modalities)
        files.write_csv(outputs["table"], header, (comparison.cells(row, level) for row in table))
        together = across.across(table, baseline, level)
        points = (point for results in collected for point in curves.long_rows(results))
        files.write_csv(outputs["curves"], curves.HEADER, points)
        files.write_text(outputs["report"], report.render(collected, table, settings, together))
        nested = comparison.nested(table, level) | across.numbers(together)
        others = (outputs[name] for name in ("table", "curves"))  # the report has the time
        comparison.write_numbers(outputs["metrics"], nested, *others)
        files.write_json(outputs["crate"], crate.crate(collected, settings))
        for name in ("table", "report"):
            tracked.artifact(outputs[name])
