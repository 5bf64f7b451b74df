"""UMT: L = CE(z, y) + lambda sum_m MSE(h_m, t_m), t_m the features of a teacher."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.distillation import feature_distance
from equipoise.methods.modulation import Means
from equipoise.methods.umt import Options
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


class Umt(Method[Options]):
    """The plug-in."""

    def setup(self, run: Run) -> None:
        """Name what is recorded."""
        super().setup(run)
        self._means = Means(run.model.modalities, run.device)

    def on_epoch_start(self, epoch: int) -> Plan:
        """Start the means of the epoch."""
        self._means.clear()
        return Plan()

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropy with the weighted distances to the teacher's features."""
        taught = self.run.taught(batch).features
        distances = {m: feature_distance(h, taught[m]) for m, h in output.features.items()}
        self._means.add(distances)
        joint = functional.cross_entropy(output.logits, batch.labels)
        return joint + self.options.weight * torch.stack(list(distances.values())).sum()

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean distance of each modality's features."""
        return self._means.row("distance")

    def state_dict(self) -> dict[str, Any]:
        """Return the means so far."""
        return self._means.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._means.load_state_dict(state)
