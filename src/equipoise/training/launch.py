"""Start the processes of one training job on this machine, by torchrun's launcher."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from equipoise.errors import INTERRUPTED, TRY_AGAIN

SIGNALS = "SIGTERM,SIGUSR1,SIGINT,SIGHUP"
SECONDS_TO_STOP = 300
"""How long the processes may take to write a checkpoint after a signal (PyTorch 2.11: 30)."""


def launched() -> bool:
    """Whether this process is one that torchrun started."""
    return "RANK" in os.environ


def launch(arguments: Sequence[str], processes: int) -> int:
    """Run the command line ``equipoise <arguments>`` in several processes; return its exit status.

    A signal is passed on to them. When one fails the others are stopped; what went wrong they have
    said themselves.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    # By the environment, as PyTorch 2.11 knows no such argument of LaunchConfig.
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(SECONDS_TO_STOP))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=f"equipoise-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        signals_to_handle=SIGNALS,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "equipoise.cli", *arguments)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        status = int(failure.exitcode)
        return 128 - status if status < 0 else status  # negative: a signal; as a shell has it
    except SignalException as error:
        return INTERRUPTED if error.sigval == signal.SIGINT else TRY_AGAIN
    return 0
