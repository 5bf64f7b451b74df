"""MBSD: L = CE(z) + sum_m CE(z_m) + mean of w (RS + KL) over pairs."""

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.alone import own_logits
from equipoise.methods.base import Batch, Method
from equipoise.methods.mbsd import Options
from equipoise.methods.mbsd.distillation import distillation_loss
from equipoise.models.multimodal import Output


class Mbsd(Method[Options]):
    """The plug-in."""

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the joint and unimodal losses and the distillation; nothing is detached."""
        logits = own_logits(self.model, output.features)
        losses = [functional.cross_entropy(z, batch.labels) for z in logits.values()]
        joint = functional.cross_entropy(output.logits, batch.labels)
        pulled = distillation_loss(logits, batch.labels, self.variant == "corrected")
        return joint + torch.stack(losses).sum() + self.options.weight * pulled
