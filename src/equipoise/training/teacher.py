"""A trained run as an input of another: the teacher, kept outside of the model that is trained.

It is the run of ``methods.teacher`` on the same data set with the same seed. It gives no gradient,
is in evaluation mode, and is neither saved, counted nor trained with the model that it teaches.
"""

from collections.abc import Mapping
from pathlib import Path

import torch

from equipoise import layout
from equipoise.errors import UserError
from equipoise.models.card import ModalityCard, ModelCard
from equipoise.stages.job import Job
from equipoise.training.inference import LoadedModel, load_model
from equipoise.training.shares import share
from equipoise.training.world import World


def weights_of(job: Job, teacher: str) -> Path:
    """Return the file of the weights of the run that teaches ``job``."""
    return layout.train(job.dataset, teacher, str(job.seed))["weights"]


def load_teacher(job: Job, teacher: str) -> LoadedModel:
    """Load the run of method ``teacher`` of the same data set and seed as ``job``.

    Raises:
        UserError: A file of it is missing or damaged.
    """
    path = weights_of(job, teacher)
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; {job.method!r} reads it: run stage train of {teacher!r} first"
        )
    return load_model(path.parent)


def expect_same(
    teacher: ModelCard,
    modalities: Mapping[str, ModalityCard],
    features: int,
    classes: list[str],
    split: str,
) -> None:
    """Refuse a teacher of another split, other inputs, or features that are not comparable.

    Args:
        teacher: Its card.
        modalities: Those of the run that it is to teach.
        features: Length of the feature vectors of that run.
        classes: Classes of that run.
        split: Digest of the split of that run.

    Raises:
        UserError: What differs, and which stage to run again.
    """
    teacher.expect_split(split)
    for what, found, wanted in (
        ("modalities, encoders or normalisation", _told(teacher.modalities), _told(modalities)),
        ("length of the features", teacher.features, features),
        ("classes", teacher.classes, classes),
    ):
        if found != wanted:
            raise UserError(
                f"the teacher ({teacher.dataset}, {teacher.method}, seed {teacher.seed}) has other "
                f"{what} than this run; run stage train of {teacher.method!r} again"
            )


def _told(modalities: Mapping[str, ModalityCard]) -> dict[str, object]:
    """Return cards as they stand in a file: lists and tuples are the same there."""
    return {m: card.model_dump(mode="json") for m, card in modalities.items()}


def freeze(teacher: LoadedModel, device: torch.device, world: World) -> None:
    """Put the teacher on the device, for reading alone; the processes of a job share its work."""
    teacher.model.requires_grad_(False).to(device).eval()
    share(teacher.model.encoders, world)
