"""Slurm job arrays are refused: with version 2.8 of Snakemake's plugin they lose good results.

Seen on a cluster: an element that fails, or that ends long before the first, takes the outputs of
others with it; above a size of the call every element runs the first job, with exit status 0; all
elements get the memory, time and processors of the first; and the plugin can wait for ever (its
issues 447 and 473). Single submissions were faster, too. docs/slurm.md says what to do instead.
"""

from typing import Any


def refusal(settings: Any) -> str:
    """Return one line that says why; empty where no arrays are asked for.

    Args:
        settings: The settings of the Slurm executor, as Snakemake read them.
    """
    asked = getattr(settings, "array_jobs", None)
    if not asked:
        return ""
    return (
        f"slurm-array-jobs ({asked}) is refused: with version 2.8 of the plugin an element that "
        "fails deletes the results of others; leave it out and use groups and group-components "
        "(docs/slurm.md)"
    )
