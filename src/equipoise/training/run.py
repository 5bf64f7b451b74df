"""What a method may look at while it trains."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from equipoise.gap.artefacts import GapArtefacts
from equipoise.models.card import ModelCard
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.params import Train
from equipoise.training.batch import Batch
from equipoise.training.data import Data, Indices
from equipoise.training.device import autocast
from equipoise.training.outputs import Predictions, gather
from equipoise.training.world import World


class Predicts(Protocol):
    """A method, as far as a teacher needs it."""

    def predict(self, output: Output) -> Output:
        """Return the output whose logits are the prediction."""


class Teacher(Protocol):
    """A trained model that another run reads (``training.inference.LoadedModel``)."""

    model: MultimodalClassifier
    card: ModelCard

    @property
    def method(self) -> Predicts:
        """What reads its predictions."""


@dataclass
class Run:
    """One training run."""

    model: MultimodalClassifier
    optimizer: torch.optim.Optimizer
    data: Data
    settings: Train
    device: torch.device
    seed: int
    first_epoch: int
    """First epoch of this run, counted from 1; the warm-up's epochs come before."""
    last_epoch: int
    phase: str = "train"
    """Name of the stage."""
    gap: GapArtefacts | None = None
    """What stage gap found, in a run that continues from the warm-up."""
    teacher: Teacher | None = None
    """The trained run that the method reads, in evaluation mode and without gradient."""
    world: World = field(default_factory=World)
    """The processes that share the work. All do the same, but only the first writes files."""

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the context of a forward pass in the precision of the run."""
        return autocast(self.device, self.settings.precision)

    def add_parameters(self, parameters: Iterable[nn.Parameter]) -> None:
        """Let the optimiser train parameters that a method added to the model."""
        rate = self.optimizer.param_groups[0]["lr"]
        self.optimizer.add_param_group({"params": list(parameters), "lr": rate})

    def outputs(self, rows: Indices) -> Iterator[tuple[Output, Tensor]]:
        """Yield the outputs and labels of ``rows`` in evaluation mode, without augmentation.

        The outputs are the model's, not yet passed through ``Method.predict``.
        """
        training = self.model.training
        self.model.eval()
        try:
            for batch in self.data.ordered(rows, max(256, self.settings.batch_size)):
                with torch.no_grad(), self.autocast():
                    output = self.model(batch.inputs)
                yield output, batch.labels
        finally:
            self.model.train(training)

    def taught(self, batch: Batch) -> Output:
        """Return what the teacher predicts for the very inputs of ``batch``, without gradient.

        Its features are those before the fusion; its logits are the ones it predicts by.
        """
        assert self.teacher is not None  # noqa: S101  training.job refuses to start without
        with torch.no_grad(), self.autocast():
            return self.teacher.method.predict(self.teacher.model(batch.inputs))

    def taught_rows(self, rows: Indices) -> Iterator[tuple[Output, Tensor]]:
        """Yield what the teacher predicts for ``rows``, not augmented, and their labels."""
        for batch in self.data.ordered(rows, max(256, self.settings.batch_size)):
            yield self.taught(batch), batch.labels

    def collect(self, rows: Indices) -> Predictions:
        """Return the outputs of ``rows`` as arrays."""
        outputs = [output for output, _ in self.outputs(rows)]
        return gather(outputs, self.data.modalities, len(self.data.classes), self.model.width)


def make_optimizer(parameters: list[nn.Parameter], train: Train) -> torch.optim.Optimizer:
    """Build the optimiser over ``parameters``, as one group."""
    if train.optimizer == "sgd":
        # Not fused: that fails when parameters get their first gradient in different steps (mla).
        return torch.optim.SGD(
            parameters,
            lr=train.learning_rate,
            momentum=train.momentum,
            weight_decay=train.weight_decay,
        )
    return torch.optim.AdamW(
        parameters, lr=train.learning_rate, weight_decay=train.weight_decay, fused=True
    )


def shown_groups(run: Run) -> list[list[str]]:
    """Return the names of the parameters in each group of the optimiser."""
    names = {id(parameter): name for name, parameter in run.model.named_parameters()}
    return [[names[id(p)] for p in group["params"]] for group in run.optimizer.param_groups]


def set_groups(run: Run, groups: list[list[str]]) -> None:
    """Build the optimiser again with these groups: a method may have added some on the way."""
    parameters = dict(run.model.named_parameters())
    first, *others = ([parameters[name] for name in group] for group in groups)
    run.optimizer = make_optimizer(first, run.settings)
    for group in others:
        run.add_parameters(group)
