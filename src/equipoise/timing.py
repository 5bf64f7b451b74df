"""What trainings took on this machine: no result, so it stands in no record and reruns nothing."""

import resource
from pathlib import Path

from equipoise import files, layout
from equipoise.errors import UserError

_TIMED = ("warmup", "train")


def note(stage: str, *cell: str) -> None:
    """Write the CPU time of this process and of those that it waited for, if it was a training.

    Of a training that was interrupted: that of its last attempt.

    Args:
        stage: The stage that ran here.
        cell: Data set, method (stage train only) and seed.
    """
    if stage in _TIMED:
        usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        write(layout.timing(stage, *cell), sum(used.ru_utime + used.ru_stime for used in usages))


def write(path: Path, seconds: float) -> None:
    """Write the CPU seconds of one training."""
    files.write_json(path, {"cpu_seconds": round(seconds, 2)})


def cpu_seconds(path: Path) -> float:
    """Return what was written of one training.

    Raises:
        UserError: There is no such file, or it is another one.
    """
    try:
        return float(files.read_json(path, "train again")["cpu_seconds"])
    except (TypeError, ValueError):
        raise UserError(f"{path}: not the time of a training; delete it") from None
