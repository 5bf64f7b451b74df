"""What MIDAS and its control share: a loss of mixtures beside the plain ones, after a warm-up."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.errors import UserError
from equipoise.methods.base import Batch, Method, Plan, head_loss
from equipoise.methods.midas import MixOptions
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

MixOptionsT = TypeVar("MixOptionsT", bound=MixOptions)


def soft_loss(
    logits: Tensor, labels: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> Tensor:
    """Return sum_m w_m,i CE(z_i, y_m,i), (B,).

    >>> labels = {"audio": torch.tensor([0]), "video": torch.tensor([1])}
    >>> weights = {"audio": torch.tensor([0.7]), "video": torch.tensor([0.3])}
    >>> soft_loss(torch.zeros(1, 2), labels, weights)
    tensor([0.6931])

    Args:
        logits: Of the mixtures (B, C).
        labels: Modality to the labels (B,) of the samples that its features come from.
        weights: Modality to (B,), or a scalar.
    """
    losses = [
        weights[m] * functional.cross_entropy(logits, y, reduction="none")
        for m, y in labels.items()
    ]
    return torch.stack(losses).sum(dim=0)


class Mixing(Method[MixOptionsT]):
    """L = CE(z) + lambda L_mix + sum_m CE(z_m); in the warm-up the last term alone."""

    heads = "trained"
    head_weight = 1.0
    """Of each head's loss."""

    def mixed_loss(self, output: Output, labels: Tensor) -> Tensor:
        """Return the loss of mixtures of the samples of a batch, a scalar."""
        raise NotImplementedError

    def setup(self, run: Run) -> None:
        """Start with the warm-up.

        Raises:
            UserError: The warm-up takes all epochs: the fusion would never be trained.
        """
        super().setup(run)
        epochs, warmup = run.last_epoch - run.first_epoch + 1, self.options.warmup_epochs
        if warmup >= epochs:
            raise UserError(
                f"warmup_epochs ({warmup}) leaves none of the {epochs} epochs to train the "
                "fusion; lower it or raise train.epochs"
            )
        self._mixing = False

    def on_epoch_start(self, epoch: int) -> Plan:
        """Find out whether this epoch is one of the warm-up: its weights are never kept."""
        self._mixing = epoch - self.run.first_epoch >= self.options.warmup_epochs
        return Plan() if self._mixing else Plan(phase="warm-up", selectable=False)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss."""
        heads = self.head_weight * head_loss(output, batch.labels)
        if not self._mixing:
            return heads
        fused = functional.cross_entropy(output.logits, batch.labels)
        return fused + self.options.weight * self.mixed_loss(output, batch.labels) + heads

    def state_dict(self) -> dict[str, Any]:
        """Return whether the warm-up is over."""
        return {"mixing": self._mixing}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._mixing = state["mixing"]
