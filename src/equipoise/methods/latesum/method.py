"""Late sum: L = a CE(z, y) + b sum_m CE(z_m, y), prediction z + sum_m z_m; or the heads alone."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.methods.base import Batch, Method, head_loss
from equipoise.methods.latesum import Options
from equipoise.models.multimodal import Output


class LateSum(Method[Options]):
    """The plug-in; ``heads_alone`` has no joint layer and no joint loss."""

    heads = "trained"

    def fusion(self, default: str) -> str:
        """Return the fusion of the model, or the one without weights for the heads alone."""
        return default if self.variant == "with_fused" else "late"

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss."""
        heads = head_loss(output, batch.labels)
        if self.variant == "heads_alone":
            return heads
        fused = functional.cross_entropy(output.logits, batch.labels)
        return self.options.fused_weight * fused + self.options.head_weight * heads

    def predict(self, output: Output) -> Output:
        """Return the sum of the logits of the present heads, and of the fusion if it is trained."""
        parts = list(output.modality_logits.values())
        if self.variant == "with_fused":
            parts.append(output.logits)
        return replace(output, logits=torch.stack(parts).sum(dim=0))
