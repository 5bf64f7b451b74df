"""MNL: the prediction is the mean of the heads' logits; L = CE's and what the guides teach."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Method, Plan, head_loss
from equipoise.methods.mnl import Options
from equipoise.methods.mnl.negative import guides, mean_logits, teaching_loss
from equipoise.methods.modulation import Means
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


class Mnl(Method[Options]):
    """The plug-in."""

    heads = "trained"

    def fusion(self, default: str) -> str:
        """Return the fusion without parameters; :meth:`predict` puts the mean in its place."""
        return "late"

    def setup(self, run: Run) -> None:
        """Start without teaching."""
        super().setup(run)
        self._means = Means(run.model.modalities, run.device)
        self._teaches = False

    def on_epoch_start(self, epoch: int) -> Plan:
        """Find out whether this epoch teaches."""
        waiting = self.options.warmup_epochs if self.variant == "paper" else 0
        self._teaches = epoch - self.run.first_epoch >= waiting
        self._means.clear()
        return Plan(phase=None if self._teaches else "warm-up")

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropies of heads and mean, and what the guides teach."""
        logits, labels = output.modality_logits, batch.labels
        fused = mean_logits(list(logits.values()))
        loss = head_loss(output, labels) + functional.cross_entropy(fused, labels)
        with torch.no_grad():
            chosen = guides(logits, labels)
            self._means.add({m: where.float().mean() for m, where in chosen.items()})
        if self._teaches:
            released = self.variant == "released_code"
            loss = loss + teaching_loss(logits, chosen, labels, self.options.weight, released)
        return loss

    def predict(self, output: Output) -> Output:
        """Return the mean of the heads' logits as the fused prediction."""
        return replace(output, logits=mean_logits(list(output.modality_logits.values())))

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report in which part of the samples each modality guides."""
        return self._means.row("guides")

    def state_dict(self) -> dict[str, Any]:
        """Return whether the epoch teaches, and the means so far."""
        return {"teaches": self._teaches, "means": self._means.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._teaches = state["teaches"]
        self._means.load_state_dict(state["means"])
