"""Fusions whose modalities act on each other: no sum."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from equipoise.models.fusion.base import Fusion


class Film(Fusion):
    """Affine fusion: one modality is scaled and shifted by the others (Perez et al., 2018).

    z = W (gamma(o) * h_t + beta(o)) + b, where o joins the features of all other modalities; with
    more than two modalities this joint o is our extension. The target t is the first modality,
    unless a method sets :attr:`target`.
    """

    name = "film"

    def __init__(self, modalities: Sequence[str], features: int, classes: int) -> None:
        super().__init__(modalities, features, classes)
        #: The modality that is modulated.
        self.target = self.modalities[0]
        others = features * (len(self.modalities) - 1)
        self.affine = nn.Linear(others, 2 * features) if others else None
        self.classifier = nn.Linear(features, classes)

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return logits (B, C)."""
        target = features[self.target]
        others = [features[m] for m in self.modalities if m != self.target]
        if self.affine is not None:
            scale, shift = self.affine(torch.cat(others, dim=1)).chunk(2, dim=1)
            target = scale * target + shift
        logits: Tensor = self.classifier(target)
        return logits


class Gated(Fusion):
    """Gated multimodal unit (Arevalo et al., 2017), in its form for any number of modalities.

    h = sum_m sigmoid(V_m [h_1; ...; h_M]) * tanh(U_m h_m), z = W h + b.
    """

    name = "gated"

    def __init__(self, modalities: Sequence[str], features: int, classes: int) -> None:
        super().__init__(modalities, features, classes)
        joined = features * len(self.modalities)
        self.gates = nn.ModuleDict({m: nn.Linear(joined, features) for m in modalities})
        self.values = nn.ModuleDict({m: nn.Linear(features, features) for m in modalities})
        self.classifier = nn.Linear(features, classes)

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return logits (B, C)."""
        joined = torch.cat([features[m] for m in self.modalities], dim=1)
        hidden = [
            torch.sigmoid(self.gates[m](joined)) * torch.tanh(self.values[m](features[m]))
            for m in self.modalities
        ]
        logits: Tensor = self.classifier(torch.stack(hidden).sum(dim=0))
        return logits
