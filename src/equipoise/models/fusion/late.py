"""The fusion without weights."""

from collections.abc import Mapping

import torch
from torch import Tensor

from equipoise.models.fusion.base import Fusion


class Late(Fusion):
    """No joint classifier: the logarithm of the mean of the present heads' probabilities."""

    name = "late"

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return log-probabilities (B, C)."""
        present = [heads[m] for m in self.modalities if m in heads]
        log_probabilities = torch.stack([logits.float().log_softmax(1) for logits in present])
        mean = torch.logsumexp(log_probabilities, dim=0)
        return mean - torch.log(mean.new_tensor(float(len(present))))

    def masked(
        self,
        features: Mapping[str, Tensor],
        heads: Mapping[str, Tensor],
        keep: Mapping[str, Tensor],
    ) -> Tensor:
        """Return log-probabilities (B, C): the mean is over the heads that a sample has."""
        present = [m for m in self.modalities if m in heads]
        log_probabilities = torch.stack([heads[m].float().log_softmax(1) for m in present])
        kept = torch.stack([keep[m] for m in present])[:, :, None]
        total = torch.logsumexp(log_probabilities.masked_fill(~kept, -torch.inf), dim=0)
        return total - kept.sum(dim=0).log()
