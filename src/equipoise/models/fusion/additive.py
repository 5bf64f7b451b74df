"""Fusions that are a sum over modalities: each one's share of the logits is known."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from equipoise.models.fusion.base import Fusion


class Concat(Fusion):
    """z = W [h_1; ...; h_M] + b; the share of a modality is W_m h_m + b/M (Peng et al., 2022)."""

    name = "concat"

    def __init__(self, modalities: Sequence[str], features: int, classes: int) -> None:
        super().__init__(modalities, features, classes)
        self.classifier = nn.Linear(features * len(self.modalities), classes)

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return logits (B, C)."""
        joined: Tensor = self.classifier(torch.cat([features[m] for m in self.modalities], dim=1))
        return joined

    def split(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return W_m h_m + b/M for each modality."""
        parts = self.classifier.weight.chunk(len(self.modalities), dim=1)
        bias = self.classifier.bias / len(self.modalities)
        return {
            m: nn.functional.linear(features[m], weight, bias)
            for m, weight in zip(self.modalities, parts, strict=True)
        }


class Sum(Fusion):
    """z = sum_m (W_m h_m + b_m): one linear classifier for each modality, added."""

    name = "sum"

    def __init__(self, modalities: Sequence[str], features: int, classes: int) -> None:
        super().__init__(modalities, features, classes)
        self.classifiers = nn.ModuleDict({m: nn.Linear(features, classes) for m in modalities})

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return logits (B, C)."""
        return torch.stack(list(self.split(features).values())).sum(dim=0)

    def split(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return W_m h_m + b_m for each modality."""
        return {m: self.classifiers[m](features[m]) for m in self.modalities}


class Weighted(Sum):
    """z = sum_m w_m (W_m h_m + b_m), w = softmax(v): as sum, under learned convex weights.

    The weights are the same for all samples. The softmax over free scalars is that of Peters et
    al. (2018), eq. 1, there over layers. All v_m start at 0: the weights start equal, at 1/M.
    """

    name = "weighted"

    def __init__(self, modalities: Sequence[str], features: int, classes: int) -> None:
        super().__init__(modalities, features, classes)
        self.scalars = nn.ParameterDict({m: nn.Parameter(torch.zeros(())) for m in modalities})

    def weights(self) -> dict[str, Tensor]:
        """Return w, ``{m: ()}``: positive, their sum is 1."""
        softmax = torch.stack([self.scalars[m] for m in self.modalities]).softmax(dim=0)
        return dict(zip(self.modalities, softmax, strict=True))

    def split(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return w_m (W_m h_m + b_m) for each modality."""
        weights = self.weights()
        return {m: weights[m] * share for m, share in super().split(features).items()}


class Cosine(Fusion):
    """z = s sum_m cos(W_m, h_m): features and class weights of length one (Xu et al., 2023).

    cos(W_m, h_m) (B, C) is the cosine of the angle between h_m and each row of W_m; there is no
    bias. The scale s is saved with the weights; a method may set it.
    """

    name = "cosine"
    scale: Tensor

    def __init__(self, modalities: Sequence[str], features: int, classes: int) -> None:
        super().__init__(modalities, features, classes)
        self.classifiers = nn.ModuleDict(
            {m: nn.Linear(features, classes, bias=False) for m in modalities}
        )
        self.register_buffer("scale", torch.tensor(15.0))

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return logits (B, C)."""
        return torch.stack(list(self.split(features).values())).sum(dim=0)

    def split(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return s cos(W_m, h_m) for each modality."""
        unit = nn.functional.normalize
        return {
            m: self.scale
            * nn.functional.linear(
                unit(features[m], dim=1), unit(self.classifiers[m].get_parameter("weight"), dim=1)
            )
            for m in self.modalities
        }
