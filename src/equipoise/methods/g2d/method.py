"""G2D: L = CE(z, y) + alpha sum_m FEAT_m + beta sum_m KD_m, in the stages of SMP."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Plan
from equipoise.methods.distillation import divergence, feature_distance
from equipoise.methods.g2d import Options
from equipoise.methods.modulation import Means
from equipoise.methods.smp.method import Prioritised
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


class G2d(Prioritised[Options]):
    """The plug-in.

    ``paper`` sums the features' distance over dimensions, ``released_code`` takes the mean.
    """

    def setup(self, run: Run) -> None:
        """Name what is recorded."""
        super().setup(run)
        self._terms = Means(("features", "predictions"), run.device)
        self._taught: Output | None = None

    def on_epoch_start(self, epoch: int) -> Plan:
        """Start the means of the epoch."""
        self._terms.clear()
        return super().on_epoch_start(epoch)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropy with the terms of the distillation, over all modalities."""
        options, summed = self.options, self.variant == "paper"
        taught = self._taught = self.run.taught(batch)
        features = [
            feature_distance(h, taught.features[m], summed) for m, h in output.features.items()
        ]
        predictions = [
            divergence(output.logits, z, options.temperature)
            for z in taught.modality_logits.values()
        ]
        both = torch.stack(features).sum(), torch.stack(predictions).sum()
        self._terms.add(dict(zip(self._terms.names, both, strict=True)))
        joint = functional.cross_entropy(output.logits, batch.labels)
        return joint + options.alpha * both[0] + options.beta * both[1]

    def after_backward(self, output: Output, batch: Batch) -> None:
        """Take the gradients of the encoders that do not lead."""
        if self.alone:
            self.prioritise(self._taught, batch)
        self._taught = None

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report, beside the factors, the mean of each sum of distances."""
        return super().on_epoch_end(epoch, row) | self._terms.row("distance")

    def state_dict(self) -> dict[str, Any]:
        """Return the stage and the means so far."""
        return {**super().state_dict(), "terms": self._terms.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        super().load_state_dict(state)
        self._terms.load_state_dict(state["terms"])
