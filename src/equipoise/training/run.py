"""What a method may look at while it trains."""

import contextlib
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, TypeVar, cast

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

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)


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


Group = dict[str, Any]
"""A group of an optimiser: ``params``, ``lr``, ``factor`` on the learning rate, ..."""


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
        self.optimizer.add_param_group({"params": list(parameters), "lr": rate, "factor": 1.0})

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


def parameter_groups(model: MultimodalClassifier) -> list[Group]:
    """Return what of a model is trained, as groups of the optimiser.

    A group holds the parameters of one ``factor`` on the learning rate (``encoders.<m>.rates``);
    the first is that of factor 1, and it is the only one where no rates are named.
    """
    factors = {id(p): factor for factor, p in model.factors()}
    groups: dict[float, Group] = {1.0: {"params": [], "factor": 1.0}}
    for parameter in model.trained():
        factor = factors.get(id(parameter), 1.0)
        groups.setdefault(factor, {"params": [], "factor": factor})["params"].append(parameter)
    return list(groups.values())


def make_optimizer(
    parameters: list[nn.Parameter] | list[Group], train: Train
) -> torch.optim.Optimizer:
    """Build the optimiser over ``parameters``, as one group, or over groups of them."""
    rate, decay = train.learning_rate, train.weight_decay
    optimizer: torch.optim.Optimizer
    if train.optimizer == "sgd":
        # Not fused: that fails when parameters get their first gradient in different steps (mla).
        optimizer = _undecorated(torch.optim.SGD)(
            parameters, lr=rate, momentum=train.momentum, weight_decay=decay
        )
    else:
        optimizer = _undecorated(torch.optim.AdamW)(
            parameters, lr=rate, weight_decay=decay, fused=True
        )
    for group in optimizer.param_groups:
        group.setdefault("factor", 1.0)
    set_rate(optimizer, rate)
    return optimizer


@cache
def _undecorated(kind: type[Kind]) -> type[Kind]:
    """Return an optimiser that does the same without the import of torch's compiler.

    Its methods are decorated for torch.compile, and the decorators import that: a quarter of the
    CPU time from the start of a job to its first step (docs/decisions/0036-a-job-is-a-process.md).
    No optimiser here is compiled. What a later torch does not decorate is taken as it is.
    """
    names = ("add_param_group", "state_dict", "load_state_dict", "zero_grad", "step")
    bare: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    bare["step"] = torch.no_grad()(bare["step"])  # what its decorator does besides
    return cast("type[Kind]", type(kind.__name__, (kind,), bare))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups, each times its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def shown_groups(run: Run) -> list[list[str]]:
    """Return the names of the parameters in each group of the optimiser."""
    names = {id(parameter): name for name, parameter in run.model.named_parameters()}
    return [[names[id(p)] for p in group["params"]] for group in run.optimizer.param_groups]


def set_groups(run: Run, groups: list[list[str]]) -> None:
    """Build the optimiser again with these groups: a method may have added some on the way.

    Their rates and factors are part of the optimiser's state, which is loaded next.
    """
    parameters = dict(run.model.named_parameters())
    again: list[Group] = [{"params": [parameters[name] for name in group]} for group in groups]
    run.optimizer = make_optimizer(again, run.settings)
