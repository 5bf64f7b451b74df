"""Unimodal scores and the modality gap of each sample; differentiable."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from equipoise.errors import UserError
from equipoise.models.multimodal import MultimodalClassifier


def check_modalities(modalities: list[str], signed: bool) -> None:
    """Refuse what no gap is defined for.

    Raises:
        UserError: Fewer than two modalities; a signed gap of other than two.
    """
    if len(modalities) < 2:
        raise UserError(
            f"a modality gap needs two modalities or more; the features hold {modalities}; "
            "leave methods.from_warmup empty"
        )
    check_signed(modalities, signed)


def check_signed(modalities: list[str], signed: bool) -> None:
    """Refuse a signed gap of other than two modalities.

    Raises:
        UserError: That it is.
    """
    if signed and len(modalities) != 2:
        raise UserError(
            f"a signed gap is defined for two modalities, not for {len(modalities)}; "
            "set gap.signed to false"
        )


def unimodal_logits(
    model: MultimodalClassifier, features: Mapping[str, Tensor], scores: Literal["heads", "split"]
) -> dict[str, Tensor]:
    """Return logits ``{m: (B, C)}`` of each modality alone, from features ``{m: (B, D)}``.

    ``heads``: each modality's own linear head; ``split``: the fused classifier split by modality,
    z_m = W_m h_m + b/M (Peng et al., 2022).

    Raises:
        UserError: ``split`` of a fusion that is not a sum over modalities.
    """
    if scores == "split":
        return model.fusion.split(features)
    return {m: head(features[m]) for m, head in model.heads.items()}


def check_scores(
    model: MultimodalClassifier, scores: Literal["heads", "split"], device: torch.device
) -> None:
    """Refuse, before anything is trained, scores that :func:`unimodal_logits` cannot give.

    Raises:
        UserError: ``split`` of a fusion that is not a sum over modalities.
    """
    if scores == "split":
        nothing = torch.zeros(1, model.width, device=device)
        model.fusion.split(dict.fromkeys(model.modalities, nothing))


def true_class_score(logits: Tensor, labels: Tensor) -> Tensor:
    """Return p_i = softmax(z_i)[y_i], (B,), from logits (B, C).

    >>> true_class_score(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([0.2500, 0.2500])
    """
    return logits.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)


def true_class_scores(logits: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
    """Return p_m,i = softmax(z_m,i)[y_i], ``{m: (B,)}``.

    >>> true_class_scores({"audio": torch.zeros(1, 2)}, torch.tensor([1]))
    {'audio': tensor([0.5000])}
    """
    return {m: true_class_score(z, labels) for m, z in logits.items()}


def gap(scores: Mapping[str, Tensor], signed: bool = False) -> Tensor:
    """Return the gap (B,) of each sample.

    Absolute: the highest minus the lowest score, |p_a - p_v| for two modalities. For more, the
    range keeps the scale of two modalities and is large when one of them stands apart, which the
    mean over pairs would dilute. Signed: the first modality's score minus the second's.

    >>> gap({"audio": torch.tensor([0.75, 0.5]), "video": torch.tensor([0.25, 1.0])})
    tensor([0.5000, 0.5000])
    """
    stacked = torch.stack(list(scores.values()))
    if signed:
        return stacked[0] - stacked[1]
    return stacked.amax(dim=0) - stacked.amin(dim=0)
