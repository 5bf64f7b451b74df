"""TCMax: the loss of plain joint training gives way to a bound of the total correlation."""

from torch import Tensor

from equipoise.methods.base import Batch, Method
from equipoise.methods.tcmax import Options
from equipoise.methods.tcmax.bound import additive_loss, drawn_tuples, sampled_loss
from equipoise.models.multimodal import Output


class Tcmax(Method[Options]):
    """The plug-in."""

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss over all tuples of the batch, or over drawn ones.

        Raises:
            UserError: All tuples, of a fusion that is not a sum over modalities.
        """
        if self.options.negatives is None:
            return additive_loss(self.model.fusion.split(output.features), batch.labels)
        features = drawn_tuples(output.features, self.options.negatives)
        negatives = self.model.classify(features, detach_heads=True).logits
        return sampled_loss(output.logits, negatives, batch.labels)
