"""The plug-in of a balancing method: hooks on the one training loop.

The defaults are plain joint training. A method overrides the hooks it needs, nothing else. Epochs
are counted from 1 in every hook, warm-up included.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from equipoise import registry
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.params import Section, parse

if TYPE_CHECKING:
    from equipoise.training.run import Run

OptionsT = TypeVar("OptionsT", bound=Section)


@dataclass
class Batch:
    """What a training step works on; everything on the training device."""

    inputs: dict[str, Tensor]
    """Modality to prepared input (B, ...)."""
    labels: Tensor
    """(B,) int64."""
    rows: Tensor
    """(B,) int64: rows of the feature store, to look per-sample values up."""
    keep: dict[str, Tensor] | None = None
    """Modality to (B,) bool: which samples the fusion sees it of (``Plan.keep``); None: all."""


@dataclass
class Plan:
    """How an epoch is run, where that is not the rule.

    An entry is one place of ``rows``; a row may stand in several, say with other modalities kept.
    """

    rows: NDArray[np.int64] | None = None
    """Rows of the feature store to train on (N,); None: the whole training split."""
    learning_rate: float | None = None
    """None: the schedule's."""
    phase: str | None = None
    """Column ``phase`` of history.csv; None: the name of the stage."""
    selectable: bool = True
    """Whether this epoch's weights may be the ones that are kept."""
    keep: dict[str, NDArray[np.bool_]] | None = None
    """Modality to (N,): the entries of which the fusion sees it; it reads zeros as the features of
    others. None: all. All encoders run, and read, all entries; a fusion of heads ignores it."""
    groups: NDArray[np.int64] | None = None
    """(N,): entries of one batch have the same number. A group of one is a batch of one."""
    alternate: bool = False
    """Batches of the groups take turns until all are through; else group after group. Either way
    the lowest number is first."""
    ordered: bool = False
    """Entries come (within their group) as they stand in ``rows``, not shuffled."""

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as tensors and plain values."""
        state = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("rows", "groups"):
            state[name] = None if state[name] is None else torch.from_numpy(state[name])
        if self.keep is not None:
            state["keep"] = {m: torch.from_numpy(kept) for m, kept in self.keep.items()}
        return state

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Plan:
        """Return the plan whose :meth:`state_dict` this is."""
        values = dict(state)
        for name in ("rows", "groups"):
            values[name] = None if values[name] is None else values[name].numpy()
        if values["keep"] is not None:
            values["keep"] = {m: kept.numpy() for m, kept in values["keep"].items()}
        return cls(**values)


class Method(Generic[OptionsT]):
    """A balancing method.

    Args:
        variant: Which named variant.
        options: Its hyper-parameters.
    """

    heads: Literal["probe", "trained"] = "probe"
    """``probe``: the heads read detached features and are trained by their own cross-entropy beside
    the method's loss; ``trained``: they read the features, and the method's loss alone trains
    them (or does not)."""

    model: MultimodalClassifier
    run: Run

    def __init__(self, variant: str, options: OptionsT) -> None:
        self.variant = variant
        self.options = options

    def fusion(self, default: str) -> str:
        """Return the name of the fusion to build; ``default`` is ``model.fusion``."""
        return default

    def attach(self, model: MultimodalClassifier, structure: Mapping[str, Any]) -> None:
        """Take the model, and give it again the extra layers that ``structure`` speaks of.

        Called before training and whenever weights are to be loaded. Layers belong into
        ``model.extras``, where they are saved with the weights.
        """
        self.model = model

    def structure(self) -> dict[str, Any]:
        """Return, JSON-like, what :meth:`attach` needs to rebuild the extra layers."""
        return {}

    def setup(self, run: Run) -> None:
        """Prepare for training; called once, before the first epoch and before state is loaded."""
        self.run = run

    def on_epoch_start(self, epoch: int) -> Plan:
        """Prepare an epoch.

        Not called again when training resumes within an epoch: what it computes must be in the
        returned plan or in :meth:`state_dict`.
        """
        return Plan()

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss, a scalar."""
        return functional.cross_entropy(output.logits, batch.labels)

    def after_backward(self, output: Output, batch: Batch) -> None:
        """Change gradients before the optimiser's step (see ``model.groups()``)."""

    def train_step(self, batch: Batch) -> tuple[Output, Tensor]:
        """Do one optimisation step; override only to alternate modalities or solve two levels.

        Returns:
            The output of all modalities, for the training metrics, and the loss, detached.
        """
        run = self.run
        with run.autocast():
            output = run.model(batch.inputs, detach_heads=self.heads == "probe")
            seen = self.seen(output, batch)
        loss = total = self.loss(seen, batch)
        if self.heads == "probe":
            total = loss + head_loss(output, batch.labels)
        run.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.after_backward(output, batch)
        run.optimizer.step()
        return output, loss.detach()

    def seen(self, output: Output, batch: Batch) -> Output:
        """Return the output with the logits of the modalities that each sample keeps."""
        if batch.keep is None:
            return output
        kept = self.model.classify(output.features, keep=batch.keep)
        return replace(output, logits=kept.logits)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Return scalars for history.csv, there named ``method_<name>``; ``row`` holds the rest."""
        return {}

    def predict(self, output: Output) -> Output:
        """Return the output whose logits are the prediction, fused and of each modality.

        Modalities may be absent from ``output``; the prediction is that of the others.
        """
        return output

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: tensors and plain values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned; tensors come back on the CPU."""


def head_loss(output: Output, labels: Tensor) -> Tensor:
    """Return the sum over modalities of the cross-entropy of their heads."""
    losses = [functional.cross_entropy(z, labels) for z in output.modality_logits.values()]
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total


def create(key: str, options: Mapping[str, Any]) -> Method[Any]:
    """Make the method called ``key`` in params.yaml.

    Raises:
        ValueError: Unknown method or variant.
        UserError: Unknown or invalid option.
    """
    name, variant, _ = registry.method_of(key)
    info = registry.methods()[name]
    module, _, plugin = info.plugin.partition(":")
    kind: type[Method[Any]] = getattr(importlib.import_module(module), plugin)
    return kind(variant, parse(info.options, dict(options), f"options of {key}"))
