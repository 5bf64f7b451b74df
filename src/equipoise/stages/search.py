"""Stage search: try hyper-parameters of one method; validation decides."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from equipoise import layout, tracking, vouch
from equipoise.console import log, progress
from equipoise.errors import DivergedError
from equipoise.params import SearchJob, TrainJob
from equipoise.stages.job import Job

if TYPE_CHECKING:
    from equipoise.training.search import Changes, Result


def run(job: Job, settings: SearchJob) -> None:
    """Train every trial and write which one was best on the validation split.

    One trial is the settings as they stand: then nothing is trained. A finished trial is noted
    beside its checkpoints, so that an interrupted search goes on where it was.

    Raises:
        UserError: See :func:`equipoise.training.job.make_trainer`; or every trial diverged.
    """
    from equipoise.training import search

    outputs = layout.search(job.dataset, job.method)
    trials = search.draw(settings, job.method)
    if len(trials) == 1:
        search.write(outputs, trials, [])
        return
    from equipoise.training.world import current  # torch

    trial_job = replace(job, seed=settings.seed)
    with tracking.run(job, settings) as tracked, progress(len(trials), "trials") as bar:
        results = []
        for number, trial in enumerate(trials, start=1):
            result = _result(trial_job, settings.train, trial)
            results.append(result)
            if result.accuracy is not None:
                values = {"accuracy": result.accuracy, "loss": result.loss}
                tracked.metrics({"val": values}, step=number)
            bar.advance(1, f"trial {number}: val {result.accuracy}")
        if not current().first:
            return
        chosen = search.write(outputs, trials, results)
        for path in outputs.values():
            tracked.artifact(path)
    shutil.rmtree(layout.state("search", job.dataset, job.method), ignore_errors=True)
    log.info("%s: chose trial %d: %s", job.name, chosen + 1, trials[chosen])


def _result(job: Job, settings: TrainJob, trial: Changes) -> Result:
    """Train one trial, or read how it ended."""
    from equipoise.store.inputs import open_inputs
    from equipoise.training.job import make_trainer, start_of
    from equipoise.training.search import Result

    settings = settings.changed(*trial)
    with open_inputs(job.dataset) as store:
        trainer = make_trainer(
            job,
            settings,
            job.method,
            settings.options,
            settings.train.epochs,
            start_of(job, settings, store),
            store,
        )
        note = trainer.checkpoints.folder.with_suffix(".json")
        if note.exists():
            noted = vouch.read(note, "delete it, then run the same command again")
            return Result(noted["epoch"], noted["accuracy"], noted["loss"])
        try:
            with trainer.stop.catch():
                kept = trainer.fit().epoch
            row = next(row for row in trainer.history if row["epoch"] == kept)
            result = Result(kept, row["val_accuracy"], row["val_loss"])
        except DivergedError as error:
            log.warning("%s: trial %s diverged: %s", job.name, trial, error)
            result = Result(None, None, None)
        if trainer.run.world.first:
            vouch.write(note, vars(result))
            trainer.checkpoints.remove()
        return result
