"""Fusions: how the features of several modalities become one prediction.

A new fusion is a class here with a ``name``; it is then a value of ``model.fusion``. Every fusion
takes any number of modalities, one included, and depends on the order of the modalities nowhere,
except where its definition does (FiLM has a target).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from equipoise.errors import UserError, nearest
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

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return logits (B, C) from features ``{m: (B, D)}`` and head logits ``{m: (B, C)}``.

        An absent modality has features of zeros and no head logits.
        """
        raise NotImplementedError

    def split(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return each modality's share of the fused logits, ``{m: (B, C)}``, adding up to them.

        Raises:
            UserError: The fusion is not a sum over modalities.
        """
        raise UserError(
            f"fusion {self.name!r} cannot be split by modality; set scores: heads, "
            f"or model.fusion to one of {', '.join(ADDITIVE)}"
        )


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


class Late(Fusion):
    """No joint classifier: the logarithm of the mean of the present heads' probabilities."""

    name = "late"

    def forward(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Tensor:
        """Return log-probabilities (B, C)."""
        present = [heads[m] for m in self.modalities if m in heads]
        log_probabilities = torch.stack([logits.float().log_softmax(1) for logits in present])
        mean = torch.logsumexp(log_probabilities, dim=0)
        return mean - torch.log(mean.new_tensor(float(len(present))))


FUSIONS: dict[str, type[Fusion]] = {
    f.name: f for f in (Concat, Sum, Weighted, Cosine, Film, Gated, Late)
}


def build(name: str, modalities: Sequence[str], features: int, classes: int) -> Fusion:
    """Build a fusion by name.

    Raises:
        UserError: No such fusion.
    """
    if name not in FUSIONS:
        raise UserError(f"model.fusion: unknown fusion {name!r}{nearest(name, FUSIONS)}")
    return FUSIONS[name](modalities, features, classes)
