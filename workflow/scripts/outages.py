"""While Slurm does not answer (its controller is restarted), ask again, for as long as it takes.

Version 2.8 of Snakemake's Slurm plugin asks another program then (``sacct``, which has nothing to
say without an accounting database), forgets all jobs whose state it could not learn, and waits for
them for ever. It has no setting for that.
"""

import asyncio
from types import ModuleType
from typing import Any

SECONDS = 10


def wait_out(plugin: ModuleType) -> None:
    """Have the plugin ask about its jobs until there is an answer, always with the same program."""
    query, age = plugin.query_job_status, plugin.get_min_job_age()

    async def patient(command: str, logger: Any) -> Any:
        answer = await query(command, logger)
        if answer == (None, None):
            logger.warning("Slurm does not answer; asking until it does")
        while answer == (None, None):
            await asyncio.sleep(SECONDS)
            answer = await query(command, logger)
        return answer

    plugin.query_job_status = patient
    plugin.get_min_job_age = lambda: age
