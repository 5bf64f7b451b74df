"""Stage audit: what is wrong with a data set, before anything is trained on it."""

from equipoise import layout, vouch
from equipoise.console import log
from equipoise.params import AuditJob
from equipoise.stages.job import Job


def run(job: Job, settings: AuditJob) -> None:
    """Write the findings of :func:`equipoise.audit.result.audit`; none of them ends the stage.

    Raises:
        UserError: What stages download, extract and split wrote is missing or does not fit.
    """
    from equipoise import tracking
    from equipoise.audit import show
    from equipoise.audit.result import audit
    from equipoise.audit.stored import stored

    output = layout.audit(job.dataset)["audit"]
    with tracking.run(job, settings) as tracked:
        found = audit(stored(job.dataset, settings.augment))
        vouch.write(output, found)
        for line in show.lines(found):
            log.info("%s: %s", job.dataset, line)
        counts = {kind: len(found[kind]) for kind in ("leaks", "contradictions", "constant")}
        tracked.metrics({"audit": {**counts, "rejects": found["rejects"]["samples"]}})
        tracked.artifact(output)
