"""The one model class: an encoder and a head for each modality, and a fusion of all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equipoise.models.encoder import Encoder
from equipoise.models.fusion import Fusion


@dataclass
class Output:
    """What a forward pass returns; all in float32, whatever the precision of the pass.

    Both mappings hold the modalities that the input had, in the order of the model.
    """

    features: dict[str, Tensor]
    """Modality to features (B, D)."""
    modality_logits: dict[str, Tensor]
    """Modality to the logits of its own head (B, C)."""
    logits: Tensor
    """Logits of the fusion (B, C)."""


@dataclass(frozen=True)
class Groups:
    """The parameters by what they belong to: declared here, found by matching names nowhere."""

    encoders: dict[str, list[nn.Parameter]]
    heads: dict[str, list[nn.Parameter]]
    fusion: list[nn.Parameter]
    extras: list[nn.Parameter]


class MultimodalClassifier(nn.Module):
    """Classifier for any set of modalities.

    The input may lack some of them (not all): their encoders and heads do not run, and the fusion
    reads zeros as their features, or leaves them out where it reads heads.

    Args:
        encoders: Modality to a module that maps its input to features (B, D).
        fusion: Maps the features of all modalities to logits.
        features: D.
        classes: C.
    """

    def __init__(
        self, encoders: Mapping[str, nn.Module], fusion: Fusion, features: int, classes: int
    ) -> None:
        super().__init__()
        self.width = features
        self.encoders = nn.ModuleDict(dict(encoders))
        self.heads = nn.ModuleDict({m: nn.Linear(features, classes) for m in encoders})
        self.fusion: Fusion = fusion
        #: Layers that a balancing method adds; saved and loaded with the rest.
        self.extras = nn.ModuleDict()

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities, in the order of the fusion."""
        return list(self.encoders)

    def encode(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return features ``{m: (B, D)}`` of the modalities in ``batch``."""
        return {m: encoder(batch[m]) for m, encoder in self.encoders.items() if m in batch}

    def classify(
        self,
        features: Mapping[str, Tensor],
        detach_heads: bool = False,
        keep: Mapping[str, Tensor] | None = None,
    ) -> Output:
        """Run the heads and the fusion on features ``{m: (B, D)}`` of one modality or more.

        Args:
            features: What the encoders gave.
            detach_heads: Cut the heads off the encoders.
            keep: Modality to (B,) bool: to the fusion it is absent from the other samples.
        """
        heads = {
            m: head(features[m].detach() if detach_heads else features[m])
            for m, head in self.heads.items()
            if m in features
        }
        zeros = torch.zeros_like(next(iter(features.values())))
        fused = {m: features.get(m, zeros) for m in self.encoders}
        if keep is None:
            logits: Tensor = self.fusion(fused, heads)
        else:
            logits = self.fusion.masked(fused, heads, keep)
        return Output(
            features={m: value.float() for m, value in features.items()},
            modality_logits={m: value.float() for m, value in heads.items()},
            logits=logits.float(),
        )

    def forward(self, batch: Mapping[str, Tensor], detach_heads: bool = False) -> Output:
        """Classify a batch of prepared inputs (see :mod:`equipoise.models.inputs`).

        Args:
            batch: Modality to input (B, ...), for one modality or more.
            detach_heads: Cut the heads off the encoders: their losses train the heads alone.
        """
        return self.classify(self.encode(batch), detach_heads)

    def groups(self) -> Groups:
        """Return the parameters of each modality's encoder and head, of the fusion and extras.

        Those of a frozen part are not among them: they have no gradient.
        """
        return Groups(
            encoders={m: _trained(module) for m, module in self.encoders.items()},
            heads={m: _trained(module) for m, module in self.heads.items()},
            fusion=_trained(self.fusion),
            extras=_trained(self.extras),
        )

    def trained(self) -> list[nn.Parameter]:
        """Return all parameters but those of frozen parts."""
        return _trained(self)

    def factors(self) -> Iterator[tuple[float, nn.Parameter]]:
        """Yield the factor on the learning rate of every parameter of an encoder that has one."""
        for encoder in self.encoders.values():
            if isinstance(encoder, Encoder):
                yield from encoder.factors()


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
