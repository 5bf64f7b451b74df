"""``snakemake`` that asks Slurm every second; otherwise the very same program.

The plugin waits longer after every look that found nothing finished (up to three minutes) and has
no option for that: right for a cluster, too slow for a test.
"""

import sys

import snakemake_executor_plugin_slurm as plugin
from snakemake.cli import main

plugin.Executor.next_seconds_between_status_checks = property(
    lambda self: 1, lambda self, value: None
)

if __name__ == "__main__":
    sys.argv[0] = "snakemake"
    sys.exit(main())
