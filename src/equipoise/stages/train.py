"""Stage train: one method on one data set with one seed."""

from equipoise import layout
from equipoise.params import TrainJob
from equipoise.stages.job import Job


def run(job: Job, settings: TrainJob) -> None:
    """Train the method of ``job`` from scratch, or from the warm-up when settings have one.

    Both end at epoch ``train.epochs``: a method that continues starts at the epoch, and at the
    learning rate, where the warm-up ended, with a fresh optimiser. What stage search chose changes
    the settings.

    Raises:
        UserError: See :func:`equipoise.training.job.train_model`.
    """
    from equipoise.store.inputs import open_inputs
    from equipoise.training.job import check_modalities, start_of, train_model
    from equipoise.training.search import read_chosen

    settings = settings.changed(*read_chosen(layout.search(job.dataset, job.method)["chosen"]))
    with open_inputs(job.dataset) as store:
        check_modalities(job.method, list(store.modalities))
        train_model(
            job,
            settings,
            job.method,
            settings.options,
            settings.train.epochs,
            layout.train(job.dataset, job.method, str(job.seed)),
            start_of(job, settings, store),
            store,
        )
