"""Sends a signal to this very process at a named place of a training job, and counts its steps."""

import os
import signal

import toy_data

from equipoise.training import job
from equipoise.training.checkpoint import Checkpoints
from equipoise.training.loop import Trainer

PLACES = ("setup", "epoch_start", "step", "validation", "epoch_end", "save", "write")
"""In the order of a job; each but the steps lies where no step is done for a while."""


def after(function, action):
    """Return ``function`` that also does ``action`` when it is through."""

    def both(*arguments, **named):
        result = function(*arguments, **named)
        action()
        return result

    return both


def send_at(patch, place, count=1, number=signal.SIGTERM):
    """Have this process get a signal the ``count``-th time that ``place`` was passed."""
    passed = []

    def send():
        passed.append(place)
        if len(passed) == count:
            os.kill(os.getpid(), number)

    if place in ("setup", "epoch_start", "epoch_end"):  # the hooks of whatever method is trained
        name = place if place == "setup" else f"on_{place}"
        create = job.create

        def created(*arguments):
            method = create(*arguments)
            patch.setattr(method, name, after(getattr(method, name), send))
            return method

        patch.setattr(job, "create", created)
        return
    owner, name = {
        "step": (Trainer, "_step"),
        "validation": (Trainer, "evaluate"),
        "save": (Checkpoints, "save"),
        "write": (job, "_write"),
    }[place]
    patch.setattr(owner, name, after(getattr(owner, name), send))


def count_steps(patch):
    """Return the list to which each optimisation step adds its (epoch, step) from now on."""
    taken, step = [], Trainer._step

    def counted(self, epoch, number, batch):
        step(self, epoch, number, batch)
        taken.append((epoch, number))

    patch.setattr(Trainer, "_step", counted)
    return taken


def forget_outputs(paths):
    """Do what Snakemake does to the declared outputs of a job that failed."""
    for path in paths.values():
        path.unlink(missing_ok=True)


STEPS = [(epoch, step) for epoch in range(1, 5) for step in (1, 2, 3)]
"""Of :data:`toy_data.TRAIN`: 4 epochs of 36 samples in batches of 16."""
assert toy_data.TRAIN.epochs == 4 and toy_data.TRAIN.batch_size == 16
