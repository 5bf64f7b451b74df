"""Which failed Slurm jobs are tried again: those that more memory or time may mend.

Snakemake's ``retries`` makes no difference between an exhausted node and a mistake in the
parameters, which would wait in the queue two more times for nothing. It has no setting for that, so
that the executor's report of a failure is judged here before Snakemake counts the attempt.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: States of Slurm that say: not the job's own fault.
ENDED = {"OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL"}
#: The last line of a stage's log where it was killed while its job was not: out of memory, on a
#: cluster where Slurm does not say so. Written by the rule's command.
KILLED = "killed (SIGKILL); out of memory?"
#: The end of it where a signal stopped the stage: the warning before a time limit.
CONTINUES = "the same command continues"
#: Stages whose own failures may pass: servers come back.
OUTSIDE = {"download"}


def worth_another(state: str, rules: Iterable[str], logs: Iterable[Path]) -> bool:
    """Tell whether a job that ended in a ``state`` of Slurm may go better the next time.

    Args:
        state: As squeue writes it.
        rules: The rules of the job or group.
        logs: The logs of its stages; none need exist.
    """
    if state in ENDED or (state == "FAILED" and set(rules) <= OUTSIDE):
        return True
    return state == "FAILED" and any(
        path.exists() and path.read_text(errors="replace").rstrip().endswith((KILLED, CONTINUES))
        for path in logs
    )


def judge(executor: Any) -> None:
    """Have the Slurm executor report a failure as final unless it is worth another attempt."""
    report = executor.report_job_error

    def judged(job_info: Any, msg: str | None = None, **options: Any) -> None:
        job = job_info.job
        state = re.search(r"status is: '(\w+)", msg or "")
        if state and not worth_another(state[1], job.rules, map(Path, job.log)):
            names = ", ".join(map(str, job.output))
            executor.logger.error(f"{state[1]}, and not tried again: the job for {names}")
            job._attempt = job.restart_times + 1  # the setter would change what the job had asked
        report(job_info, msg=msg, **options)

    executor.report_job_error = judged
