"""How much each modality is used, how sure it is, and the factor that brings both together."""

from collections.abc import Mapping

import torch
from torch import Tensor

from equipoise.methods.modulation import entropies


def dependence(logits: Mapping[str, Tensor]) -> Tensor:
    """Return d~ (M,), adding up to 1: d_m = sum_c mean_i |z_m^0[i, c]|, from ``{m: (B, C)}``.

    >>> dependence({"audio": torch.tensor([[3.0, -3.0]]), "video": torch.tensor([[1.0, 1.0]])})
    tensor([0.7500, 0.2500])
    """
    sizes = torch.stack([z.abs().mean(dim=0).sum() for z in logits.values()])
    return sizes / sizes.sum().clamp_min(torch.finfo(sizes.dtype).tiny)


def inverse_variance(logits: Mapping[str, Tensor]) -> Tensor:
    """Return q (M,), adding up to 1: q_m ~ 1 / max(H_m / sum H, 0.6 / M).

    H_m is the mean entropy in nats of softmax(z_m^0), from ``{m: (B, C)}``. For two the limit is
    the 0.3 of the authors' code, so that q is within [0.231, 0.769]; for more it is ours.

    >>> sure, unsure = torch.tensor([[9.0, -9.0]]), torch.zeros(1, 2)
    >>> inverse_variance({"audio": sure, "video": unsure})  # 1/0.3 and 1/1, made to add up to 1
    tensor([0.7692, 0.2308])
    """
    means = torch.stack([entropies(z).mean() for z in logits.values()])
    shares = means / means.sum().clamp_min(torch.finfo(means.dtype).tiny)
    inverse = 1 / shares.clamp_min(0.6 / len(shares))
    return inverse / inverse.sum()


def asymmetric_weights(used: Tensor, sure: Tensor, temperature: float) -> Tensor:
    """Return k (M,), adding up to 1: k = softmax_m(T q_m (1 - d~_m) / (M - 1)).

    For two modalities softmax(T [d~_v q_a, d~_a q_v]), so that k_a / k_v grows when d_a / d_v is
    below q_a / q_v. For more it is our extension: 1 - d~_m is what the others are used.

    >>> used, sure = torch.tensor([0.8, 0.2]), torch.tensor([0.5, 0.5])
    >>> asymmetric_weights(used, sure, temperature=8.0)  # video is used less than it deserves
    tensor([0.0832, 0.9168])

    Args:
        used: d~ (M,), of :func:`dependence`.
        sure: q (M,), of :func:`inverse_variance`.
        temperature: T.
    """
    return torch.softmax(temperature * sure * (1 - used) / (len(used) - 1), dim=0)
