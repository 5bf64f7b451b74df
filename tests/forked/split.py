"""A stage that says what it is, then does what EQUIPOISE_DO names."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from equipoise.errors import Stopped, UserError


def stop(number, _):
    raise Stopped(signal.Signals(number).name)


def run(job, settings):
    import numpy as np

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, stop)
    told = {
        "process": os.getpid(),
        "parent": os.getppid(),
        "folder": str(Path.cwd()),
        "name": job.name,
        "random": np.random.random(),  # noqa: NPY002 - the one that is not seeded
        "torch": "torch" in sys.modules,
        "given": os.environ.get("EQUIPOISE_GIVEN"),
        "server": os.environ.get("EQUIPOISE_FORKSERVER"),
    }
    print(json.dumps(told), flush=True)
    match os.environ.get("EQUIPOISE_DO"):
        case "refuse":
            raise UserError("no such thing")
        case "wait":
            time.sleep(60)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
