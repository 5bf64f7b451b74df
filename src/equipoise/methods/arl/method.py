"""ARL: L = CE(z) + gamma sum_m CE(z_m^0), and g_m <- (1 + k_m) g_m in the encoders."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.methods.alone import zero_out_logits
from equipoise.methods.arl import Options
from equipoise.methods.arl.asymmetry import asymmetric_weights, dependence, inverse_variance
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.modulation import Means, scale_gradients
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

NEVER_APPLIED = 1.5
"""The factor that the released code gives every encoder for ever, in place of 1 + k_m."""


class Arl(Method[Options]):
    """The plug-in."""

    _factors: dict[str, Tensor]

    def setup(self, run: Run) -> None:
        """Start without modulation."""
        super().setup(run)
        self._means = Means(run.model.modalities, run.device)
        self._active = False

    def on_epoch_start(self, epoch: int) -> Plan:
        """Find out whether this epoch has modulation."""
        self._active = epoch - self.run.first_epoch >= self.options.warmup_epochs
        self._means.clear()
        return Plan()

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the joint loss and the unimodal losses; remember the factors of this batch."""
        alone = zero_out_logits(self.model, output.features)
        self._factors = self._modulation({m: z.detach() for m, z in alone.items()})
        losses = [functional.cross_entropy(z, batch.labels) for z in alone.values()]
        gamma = self.options.gamma if self._active else 1.0
        joint = functional.cross_entropy(output.logits, batch.labels)
        return joint + gamma * torch.stack(losses).sum()

    def _modulation(self, alone: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return 1 + k_m, ``{m: scalar}``."""
        if self.variant == "released_code":
            return {m: z.new_tensor(NEVER_APPLIED) for m, z in alone.items()}
        used, sure = dependence(alone), inverse_variance(alone)
        factors = 1 + asymmetric_weights(used, sure, self.options.temperature)
        return dict(zip(alone, factors, strict=True))

    @torch.no_grad()
    def after_backward(self, output: Output, batch: Batch) -> None:
        """Scale the encoders' gradients, then limit the length of all."""
        groups = self.model.groups()
        if self._active:
            for m, parameters in groups.encoders.items():
                scale_gradients(parameters, self._factors[m])
            self._means.add(self._factors)
        if self.options.clip is not None:
            encoders = [p for parameters in groups.encoders.values() for p in parameters]
            nn.utils.clip_grad_norm_([*encoders, *groups.fusion], self.options.clip)

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean factor of each modality; 1 without modulation."""
        nothing = {f"factor_{m}": 1.0 for m in self.model.modalities}
        return nothing | self._means.row("factor")

    def state_dict(self) -> dict[str, Any]:
        """Return whether the epoch has modulation, and the means so far."""
        return {"active": self._active, "means": self._means.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._active = state["active"]
        self._means.load_state_dict(state["means"])
