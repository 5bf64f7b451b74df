"""The fusion of SimBaMM: a transformer over one token for each modality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from equipoise.models.fusion.base import Fusion


@dataclass(frozen=True)
class Size:
    """Of the transformer; the defaults are those of the authors' code for CREMA-D."""

    layers: int = 4
    feedforward: int = 256
    """Width of the hidden layer in each layer's feed-forward part."""
    heads: int = 8
    """Attention heads; the most of them that divides the number of features is taken."""
    dropout: float = 0.2


def positions(count: int, features: int) -> Tensor:
    """Return the sinusoidal positions (count, features) of Vaswani et al. (2017), section 3.5.

    PE(p, 2i) = sin(p / 10000^(2i/D)), PE(p, 2i+1) = cos(p / 10000^(2i/D)).
    """
    even = torch.arange(0, features, 2, dtype=torch.float64)
    angles = torch.arange(count, dtype=torch.float64)[:, None] / 10000 ** (even / features)
    pairs = torch.stack([angles.sin(), angles.cos()], dim=2)
    return pairs.flatten(1)[:, :features].float()


def fitting_heads(features: int, heads: int) -> int:
    """Return the largest number of heads that is not above ``heads`` and divides the features."""
    return max(h for h in range(1, min(heads, features) + 1) if features % h == 0)


class Simbamm(Fusion):
    """z = W Y[cls] + b, Y = Transformer([cls; h_1; ...; h_M] + PE) (Rheude et al., 2025).

    Layers normalise after the residual and have ReLU. A modality that is absent has no token: to
    the class token this is the same as a token that attention masks, since only its own row of Y
    would differ. The class token is drawn from 0.02 N(0, 1) and trained.
    """

    name = "simbamm"
    positions: Tensor
    transformer: nn.TransformerEncoder

    def __init__(self, modalities: Sequence[str], features: int, classes: int) -> None:
        super().__init__(modalities, features, classes)
        self._features = features
        self.cls = nn.Parameter(0.02 * torch.randn(features))
        self.classifier = nn.Linear(features, classes)
        table = positions(1 + len(self.modalities), features)
        self.register_buffer("positions", table, persistent=False)
        self.resize(Size())

    def resize(self, size: Size) -> None:
        """Draw the layers anew in another size, where the others are; the rest stays."""
        heads = fitting_heads(self._features, size.heads)
        layer = nn.TransformerEncoderLayer(
            self._features, heads, size.feedforward, size.dropout, batch_first=True
        )
        self.size = size
        # A stack starts as copies of one layer, as in the authors' code.
        layers = nn.TransformerEncoder(layer, size.layers, enable_nested_tensor=False)
        self.transformer = layers.to(self.cls.device)

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return logits (B, C); the modalities of ``heads`` are those that are present."""
        return self._read(features, [m for m in self.modalities if m in heads], None)

    def masked(
        self,
        features: Mapping[str, Tensor],
        heads: Mapping[str, Tensor],
        keep: Mapping[str, Tensor],
    ) -> Tensor:
        """Return logits (B, C): attention masks the tokens that a sample does not have."""
        present = [m for m in self.modalities if m in heads]
        kept = torch.stack([keep[m] for m in present], dim=1)
        nothing = torch.nn.functional.pad(~kept, (1, 0), value=False)  # the class token stays
        return self._read(features, present, nothing)

    def _read(
        self, features: Mapping[str, Tensor], present: Sequence[str], hidden: Tensor | None
    ) -> Tensor:
        """Return logits (B, C) from the tokens of ``present`` but those ``hidden`` (B, 1 + n)."""
        count = len(next(iter(features.values())))
        tokens = [self.cls.expand(count, -1), *(features[m] for m in present)]
        places = self.positions[[0, *(1 + self.modalities.index(m) for m in present)]]
        # The fused kernels have no second derivative, which some methods take, and on a GPU no
        # deterministic gradient.
        with sdpa_kernel(SDPBackend.MATH):
            read: Tensor = self.transformer(
                torch.stack(tokens, dim=1) + places, src_key_padding_mask=hidden
            )
        logits: Tensor = self.classifier(read[:, 0])
        return logits
