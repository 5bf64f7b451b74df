"""The two losses of DGL, each of which reaches one half of the model."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from equipoise.models.fusion import Fusion


def constant_zero_out(fusion: Fusion, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return z_m^0 ``{m: (B, C)}``: the fusion on each modality alone, its weights constants.

    The others are features of zeros, as those of an absent modality are. The fusion must not read
    the logits of heads.

    Args:
        fusion: Its parameters get no gradient.
        features: Modality to (B, D); they get one.
    """
    constants = {name: p.detach() for name, p in fusion.named_parameters()}
    zeros = torch.zeros_like(next(iter(features.values())))
    logits = {}
    for m, h in features.items():
        alone = {other: h if other == m else zeros for other in fusion.modalities}
        logits[m] = functional_call(fusion, constants, (alone, {m: h}))
    return logits


def disentangled_loss(
    logits: Tensor, alone: Mapping[str, Tensor], labels: Tensor, alpha: float
) -> Tensor:
    """Return L_f + L_u = CE(z, y) + alpha sum_m CE(z_m^0, y).

    >>> z = torch.zeros(1, 2)
    >>> disentangled_loss(z, {"audio": z, "video": z}, torch.tensor([0]), alpha=4.0)  # 9 log 2
    tensor(6.2383)

    Args:
        logits: z (B, C), of the fusion on detached features: trains the fusion alone.
        alone: z_m^0 ``{m: (B, C)}`` of :func:`constant_zero_out`: trains the encoders alone.
        labels: (B,).
        alpha: Weight of the unimodal losses.
    """
    unimodal = torch.stack([functional.cross_entropy(z, labels) for z in alone.values()]).sum()
    return functional.cross_entropy(logits, labels) + alpha * unimodal
