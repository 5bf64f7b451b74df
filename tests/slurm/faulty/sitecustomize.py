"""With this folder on PYTHONPATH, training notes every step and waits at one of them for a fault.

steps.txt gets a line for each optimisation step that any process did. The first process of a
project that reaches step HANG_AT waits there, until the file ``go_on`` exists or a signal asks it
to stop; with KILL_AT, it ends there as the kernel's out-of-memory killer ends it. KILL_AT may also
be the name of a stage, which ends so before it does anything.
"""

import importlib.util
import os
import signal
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path


class Finder(MetaPathFinder):
    """Changes the class Trainer when its module is imported."""

    def find_spec(self, name, path, target=None):
        if name != "equipoise.training.loop":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_and_change(module):
            load(module)
            change(module.Trainer)

        spec.loader.exec_module = load_and_change
        return spec


def change(trainer):
    plain = trainer._step

    def step(self, epoch, number, batch):
        disturb(self, f"{epoch}-{number}")
        plain(self, epoch, number, batch)
        with Path("steps.txt").open("a") as file:
            file.write(f"{epoch}-{number}\n")

    trainer._step = step


def disturb(trainer, place):
    kill(place)
    if place == os.environ.get("HANG_AT") and first("hangs"):
        while not (trainer.stop.name or Path("go_on").exists()):
            time.sleep(0.1)


def kill(place):
    if place == os.environ.get("KILL_AT") and first("killed"):
        os.kill(os.getpid(), signal.SIGKILL)


def first(name):
    """Tell whether nobody was here before."""
    try:
        Path(name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


sys.meta_path.insert(0, Finder())
if any(Path(word).name == "equipoise" for word in sys.orig_argv[1:2]):
    kill(sys.orig_argv[2])
