"""What every fusion is."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from equipoise.errors import UserError
from equipoise.params.sections import ADDITIVE


class Fusion(nn.Module):
    """Maps features to class logits.

    Args:
        modalities: Names, in the order in which features are joined.
        features: Length D of every feature vector.
        classes: Number of classes C.
    """

    name = ""

    def __init__(self, modalities: Sequence[str], features: int, classes: int) -> None:
        super().__init__()
        self.modalities = list(modalities)

    @property
    def additive(self) -> bool:
        """Whether the logits are a sum over modalities, so that :meth:`split` works."""
        return type(self).split is not Fusion.split

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return logits (B, C) from features ``{m: (B, D)}`` and head logits ``{m: (B, C)}``.

        An absent modality has features of zeros and no head logits.
        """
        raise NotImplementedError

    def masked(
        self,
        features: Mapping[str, Tensor],
        heads: Mapping[str, Tensor],
        keep: Mapping[str, Tensor],
    ) -> Tensor:
        """Return logits (B, C) where a modality is absent from some of the samples.

        Args:
            features: As of :meth:`forward`.
            heads: As of :meth:`forward`.
            keep: Modality to (B,) bool, true where it is present; each sample has one or more.
        """
        return self.forward({m: h * keep[m][:, None] for m, h in features.items()}, heads)

    def split(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return each modality's share of the fused logits, ``{m: (B, C)}``, adding up to them.

        Raises:
            UserError: The fusion is not a sum over modalities.
        """
        raise UserError(
            f"fusion {self.name!r} cannot be split by modality; set scores: heads, "
            f"or model.fusion to one of {', '.join(ADDITIVE)}"
        )
