"""Modality dropout: q_m = theta for every modality, theta the mean over modalities of OPM's q."""

import torch
from torch import Tensor

from equipoise.methods.moddrop import Options
from equipoise.methods.opm.method import Dropping
from equipoise.models.multimodal import Output


def spread(rates: Tensor) -> Tensor:
    """Return rates (M,) that are all the mean of ``rates`` (M,): as much dropping, no target.

    >>> spread(torch.tensor([0.6, 0.0]))
    tensor([0.3000, 0.3000])
    """
    return rates.mean().expand_as(rates)


class ModDrop(Dropping[Options]):
    """The plug-in; variants ``paper`` and ``released_code`` are the controls of OPM's variants."""

    def expect_scores(self) -> None:
        """Refuse nothing under ``fixed``, which reads no scores."""
        if self.variant != "fixed":
            super().expect_scores()

    def rates(self, output: Output, labels: Tensor) -> Tensor:
        """Return the drop rates (M,), the same for every modality."""
        if self.variant == "fixed":
            return torch.full_like(self._previous, self.options.rate)
        return spread(super().rates(output, labels))

    def _applied(self, found: Tensor) -> Tensor | None:
        """Return the rates of this batch; those of ``fixed`` hold at once."""
        return found if self.variant == "fixed" else super()._applied(found)
