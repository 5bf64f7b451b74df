"""CML: cross-entropy and a penalty of confidence that rises when modalities are removed."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.cml import Options
from equipoise.methods.cml.calibration import batch_rises, chain, official_rises, rises
from equipoise.methods.modulation import Means
from equipoise.models.multimodal import Output
from equipoise.training.run import Run


class Cml(Method[Options]):
    """The plug-in."""

    def setup(self, run: Run) -> None:
        """Start before the first step."""
        super().setup(run)
        self._means = Means(["rise"], run.device)
        self._epoch = self._step = 0

    def on_epoch_start(self, epoch: int) -> Plan:
        """Count the steps of the epoch from 0."""
        self._epoch, self._step = epoch, 0
        self._means.clear()
        return Plan()

    def _links(self, output: Output) -> list[Tensor]:
        """Return the fused logits along the chain of this step."""
        # The port in BalanceBenchmark removes in one order for a whole epoch.
        step = 0 if self.variant == "balancebenchmark" else self._step
        _, *fewer = chain(self.model.modalities, (self.run.seed, self._epoch, step))
        links = [output.logits]
        for present in fewer:
            features = {m: output.features[m] for m in present}
            with self.run.autocast():  # confidences are compared: all of one precision
                links.append(self.model.classify(features, detach_heads=True).logits)
        return links

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the cross-entropy and the penalty, by variant."""
        links = self._links(output)
        self._step += 1
        each = [functional.cross_entropy(z, batch.labels) for z in links]
        fitted = torch.stack(each).mean()
        if self.variant == "paper":
            fitted, penalty = each[0], rises(links)
        elif self.variant == "official_masks":
            penalty = official_rises(links, batch.labels)
        else:
            penalty = batch_rises(links)
        self._means.add({"rise": penalty})
        return fitted + self.options.weight * penalty

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean penalty, without its weight."""
        return self._means.row("mean")

    def state_dict(self) -> dict[str, Any]:
        """Return epoch, step and the mean so far."""
        return {"epoch": self._epoch, "step": self._step, "means": self._means.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._epoch, self._step = state["epoch"], state["step"]
        self._means.load_state_dict(state["means"])
