"""DGL: one backward pass whose unimodal and joint parts share no parameter."""

from torch import Tensor, nn

from equipoise.methods.base import Batch, Method
from equipoise.methods.dgl import Options
from equipoise.methods.dgl.disentangled import constant_zero_out, disentangled_loss
from equipoise.models.multimodal import Output


class Dgl(Method[Options]):
    """The plug-in."""

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the sum of both losses."""
        detached = {m: h.detach() for m, h in output.features.items()}
        logits = self.model.classify(detached, detach_heads=True).logits
        alone = constant_zero_out(self.model.fusion, output.features)
        return disentangled_loss(logits, alone, batch.labels, self.options.alpha)

    def after_backward(self, output: Output, batch: Batch) -> None:
        """Limit the length of the gradients of encoders and fusion together."""
        if self.options.clip is None:
            return
        groups = self.model.groups()
        encoders = [p for parameters in groups.encoders.values() for p in parameters]
        nn.utils.clip_grad_norm_([*encoders, *groups.fusion], self.options.clip)
