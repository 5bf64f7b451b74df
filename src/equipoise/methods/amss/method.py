"""AMSS: g_j <- g_j 1[unit j drawn], AMSS+: times 1 / (p_j + C), in the encoders."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from equipoise.methods.alone import own_logits, zero_out_logits
from equipoise.methods.amss import Options
from equipoise.methods.amss.masks import drawn_units, importance, spread, unit_energies
from equipoise.methods.amss.rates import information, moving_shares, released_shares
from equipoise.methods.base import Batch, Method, Plan
from equipoise.methods.modulation import Means
from equipoise.models.multimodal import Output
from equipoise.training.run import Run

DIMENSIONS = {"rows": range(2, 6), "conv": range(4, 5)}
"""Option ``units`` to the dimensions of a weight whose rows are masked."""


class Amss(Method[Options]):
    """The plug-in; variant ``amss_plus`` divides what is drawn by its probability."""

    def setup(self, run: Run) -> None:
        """Choose the weights whose rows are units."""
        super().setup(run)
        dimensions = DIMENSIONS[self.options.units]
        encoders = run.model.groups().encoders
        self._masked = {m: [p for p in ps if p.dim() in dimensions] for m, ps in encoders.items()}
        self._rates = torch.zeros(len(encoders), device=run.device)
        self._steps = 0
        self._means = Means(encoders, run.device)

    def on_epoch_start(self, epoch: int) -> Plan:
        """Start the means of the epoch; the rates go on."""
        self._means.clear()
        return Plan()

    @torch.no_grad()
    def after_backward(self, output: Output, batch: Batch) -> None:
        """Mask the encoders' gradients."""
        shares = self._shares(output, batch)
        for share, parameters in zip(shares, self._masked.values(), strict=True):
            for parameter in parameters:
                if parameter.grad is not None:
                    self._mask(parameter.grad, share)
        self._means.add(dict(zip(self._masked, shares, strict=True)))

    def _shares(self, output: Output, batch: Batch) -> Tensor:
        """Return rho (M,) and take in the rates of this batch."""
        options, released = self.options, self.options.rates == "released_code"
        logits_of = own_logits if released else zero_out_logits
        logits = logits_of(self.model, output.features)
        gains, rates = information(logits, output.features, batch.labels, released)
        kept = options.smoothing if self._steps else 0.0
        self._rates = kept * self._rates + (1 - kept) * rates
        self._steps += 1
        if released:
            return released_shares(gains, self._rates, options.temperature)
        return moving_shares(self._rates, options.temperature)

    def _mask(self, gradient: Tensor, share: Tensor) -> None:
        energies = unit_energies(gradient)
        factors = drawn_units(energies, share).to(energies.dtype)
        if self.variant == "amss_plus":
            factors = factors * importance(energies, self.options.offset)
        gradient.mul_(spread(factors, gradient))

    def on_epoch_end(self, epoch: int, row: Mapping[str, Any]) -> dict[str, float]:
        """Report the mean share of units of each modality that could move."""
        return self._means.row("share")

    def state_dict(self) -> dict[str, Any]:
        """Return the running rates and the means of the epoch."""
        means = self._means.state_dict()
        return {"rates": self._rates.cpu(), "steps": self._steps, "means": means}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self._rates, self._steps = state["rates"].to(self.run.device), state["steps"]
        self._means.load_state_dict(state["means"])
