"""What the fused classifier says of each modality alone, without a head of its own."""

from collections.abc import Mapping

from torch import Tensor

from equipoise.models.multimodal import MultimodalClassifier


def zero_out_logits(
    model: MultimodalClassifier, features: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return z_m^0 ``{m: (B, C)}``: the fused logits of features (B, D) with all others absent.

    For concat W_m h_m + b, with the whole bias; the share that :meth:`Fusion.split` gives has b/M.
    """
    return {m: model.classify({m: h}, detach_heads=True).logits for m, h in features.items()}


def own_logits(model: MultimodalClassifier, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the logits of each modality alone, ``{m: (B, C)}``, from features ``{m: (B, D)}``.

    Its share where the fusion is a sum over modalities, else :func:`zero_out_logits`.
    """
    if model.fusion.additive:
        return model.fusion.split(features)
    return zero_out_logits(model, features)
