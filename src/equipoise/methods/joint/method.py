"""Joint training: L = CE(z, y), with heads ``trained`` L = CE(z, y) + sum_m CE(z_m, y)."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from equipoise.errors import UserError
from equipoise.methods.base import Batch, Method, head_loss
from equipoise.methods.joint import Options
from equipoise.models.fusion import Film
from equipoise.models.multimodal import MultimodalClassifier, Output
from equipoise.training.run import Run


class Joint(Method[Options]):
    """The plug-in; its variant names the fusion."""

    def __init__(self, variant: str, options: Options) -> None:
        super().__init__(variant, options)
        self.heads = options.heads

    def fusion(self, default: str) -> str:
        """Return the variant."""
        return self.variant

    def attach(self, model: MultimodalClassifier, structure: Mapping[str, Any]) -> None:
        """Say which modality is modulated.

        Raises:
            UserError: Option ``target`` is no modality of the model.
        """
        super().attach(model, structure)
        if self.options.target is None:
            return
        if self.options.target not in model.modalities:
            raise UserError(
                f"joint: target must be one of {', '.join(model.modalities)}; "
                f"got {self.options.target!r}"
            )
        assert isinstance(model.fusion, Film)  # noqa: S101  see check
        model.fusion.target = self.options.target

    def setup(self, run: Run) -> None:
        """Refuse to turn a warmed-up fusion round.

        Raises:
            UserError: The warm-up modulated another modality than ``target``.
        """
        super().setup(run)
        if self.options.target not in (None, run.model.modalities[0]) and run.first_epoch > 1:
            raise UserError(
                f"joint: the warm-up modulated {run.model.modalities[0]!r}; leave target out, or "
                "move the method to methods.from_scratch"
            )

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss."""
        loss = functional.cross_entropy(output.logits, batch.labels)
        if self.heads == "trained":
            loss = loss + head_loss(output, batch.labels)
        return loss
