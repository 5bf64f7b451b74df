"""Stage warmup: joint training until every modality is fit well enough to be compared."""

from equipoise import layout
from equipoise.params import WarmupJob
from equipoise.stages.job import Job


def run(job: Job, settings: WarmupJob) -> None:
    """Train the joint model of ``model.fusion`` for ``warmup.epochs`` epochs of the schedule.

    Raises:
        UserError: See :func:`equipoise.training.job.train_model`.
    """
    from equipoise.store.inputs import open_inputs
    from equipoise.training.job import Start, train_model

    # What continues from the warm-up wants its end, not an earlier epoch that scored better.
    train = settings.train.model_copy(update={"selection": "last"})
    with open_inputs(job.dataset) as store:
        train_model(
            job,
            settings.model_copy(update={"train": train}),
            f"joint-{settings.model.fusion}",
            {"heads": settings.warmup.heads},
            settings.warmup.epochs,
            layout.warmup(job.dataset, str(job.seed)),
            Start(),
            store,
        )
