"""Feature mixing: modalities of two samples, or a blend of both, under labels by their share."""

from collections.abc import Mapping

import torch
from torch import Tensor

from equipoise.methods.featuremix import Options
from equipoise.methods.midas.mixing import Mixing, soft_loss
from equipoise.methods.pairing import partners, repaired
from equipoise.models.multimodal import Output


def blended(values: Mapping[str, Tensor], partner: Tensor, share: Tensor) -> dict[str, Tensor]:
    """Return share x_i + (1 - share) x_j, ``{m: (B, D)}``, j the partner (B,); share a scalar.

    >>> partner, share = torch.tensor([1, 0]), torch.tensor(0.75)
    >>> blended({"audio": torch.tensor([[2.0], [4.0]])}, partner, share)
    {'audio': tensor([[2.5000],
            [3.5000]])}
    """
    return {m: torch.lerp(value[partner], value, share) for m, value in values.items()}


class FeatureMix(Mixing[Options]):
    """The plug-in."""

    def mixed_loss(self, output: Output, labels: Tensor) -> Tensor:
        """Return the loss of the mixtures of each sample with a partner, a scalar."""
        partner = partners(len(labels), labels.device)
        if self.variant == "mixup":
            return self._mixup(output, labels, partner)
        losses = [self._swap(m, output, labels, partner) for m in output.features]
        return torch.stack(losses).mean()

    def _swap(self, replaced: str, output: Output, labels: Tensor, partner: Tensor) -> Tensor:
        """Return the loss of the batch with one modality of the partners; each counts 1/M."""
        count = len(output.features)
        parts = repaired(dict.fromkeys(output.features, labels), partner, [replaced])
        weights = dict.fromkeys(parts, torch.ones_like(labels, dtype=torch.float32) / count)
        with self.run.autocast():
            mixed = self.model.classify(repaired(output.features, partner, [replaced]))
        return soft_loss(mixed.logits, parts, weights).mean()

    def _mixup(self, output: Output, labels: Tensor, partner: Tensor) -> Tensor:
        """Return the loss of a blend of all features, one share for the batch."""
        a = torch.full((), self.options.concentration, device=labels.device)
        share = torch.distributions.Beta(a, a, validate_args=False).sample()
        with self.run.autocast():
            mixed = self.model.classify(blended(output.features, partner, share))
        both = {"own": labels, "partner": labels[partner]}
        return soft_loss(mixed.logits, both, {"own": share, "partner": 1 - share}).mean()
