"""The plug-in of a balancing method: hooks on the one training loop.

The defaults are plain joint training. A method overrides the hooks it needs, nothing else. Epochs
are counted from 1 in every hook, warm-up included.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from torch import Tensor
from torch.nn import functional

from equipoise import registry
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.params import parse
from equipoise.section import Section
from equipoise.training.batch import Batch, Plan

if TYPE_CHECKING:
    from equipoise.training.run import Run

__all__ = ["Batch", "Method", "Plan", "create", "head_loss"]
OptionsT = TypeVar("OptionsT", bound=Section)


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
