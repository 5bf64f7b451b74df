"""The mathematics of MASAM: who is dominant, and which way its encoder is perturbed.

A gradient is a list of tensors, one for each parameter tensor of an encoder: ``joint`` (G) that of
the fused loss, ``unimodal`` (U) that of the modality's own head.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.methods.modulation import cosine, inner

Gradients = Sequence[Tensor]


def cosines(first: Gradients, second: Gradients) -> Tensor:
    """Return the cosine of each tensor, (number of tensors,).

    >>> joint = [torch.tensor([1.0]), torch.tensor([2.0])]
    >>> cosines(joint, [torch.tensor([3.0]), torch.tensor([-1.0])])
    tensor([ 1., -1.])
    """
    return torch.stack([cosine([a], [b]) for a, b in zip(first, second, strict=True)])


def moved_average(average: Tensor, losses: Tensor, beta: float) -> Tensor:
    """Return MA <- beta MA + (1 - beta) L, (M,).

    >>> moved_average(torch.tensor([1.0]), torch.tensor([2.0]), beta=0.9)
    tensor([1.1000])
    """
    return beta * average + (1 - beta) * losses


def decay(last: Tensor, average: Tensor) -> Tensor:
    """Return max(0, L of the step before - MA of this step), (M,).

    >>> decay(torch.tensor([2.0, 1.0]), torch.tensor([1.5, 1.5]))
    tensor([0.5000, 0.0000])
    """
    return (last - average).clamp_min(0)


def score(decay: Tensor, alignment: Tensor, share: float) -> Tensor:
    """Return APS = a decay + (1 - a) alignment, (M,).

    >>> score(torch.tensor([0.5]), torch.tensor([1.0]), share=0.8)
    tensor([0.6000])
    """
    return share * decay + (1 - share) * alignment


def perturbation(joint: Gradients, unimodal: Gradients, rho: float) -> list[Tensor]:
    """Return eps = rho gamma G / |G|, gamma = cos(G, U) over the whole encoder (the paper's).

    >>> perturbation([torch.tensor([0.0, 5.0])], [torch.tensor([3.0, 4.0])], rho=0.5)
    [tensor([0.0000, 0.4000])]
    """
    length = inner(joint, joint).sqrt()
    factor = rho * cosine(joint, unimodal) / length.clamp_min(torch.finfo(length.dtype).tiny)
    return [factor * g for g in joint]


def released_perturbation(joint: Gradients, unimodal: Gradients, rho: float) -> list[Tensor]:
    """Return the perturbation of the released code.

    Tensor by tensor, r = (<u, g> / |g|^2) g where <u, g> >= 0, else g. With N the length of all r
    and f the cosine of the last tensor, where that is positive, else 1: eps = rho f r / N.

    >>> released_perturbation([torch.tensor([0.0, 5.0])], [torch.tensor([3.0, 4.0])], rho=0.5)
    [tensor([0.0000, 0.4000])]
    """
    parts = []
    for g, u in zip(joint, unimodal, strict=True):
        along, squared = (u * g).sum(), (g * g).sum()
        projected = along / squared.clamp_min(torch.finfo(squared.dtype).tiny)
        parts.append(torch.where(along >= 0, projected, torch.ones_like(projected)) * g)
    last = cosine(joint[-1:], unimodal[-1:])
    factor = torch.where(last > 0, last, torch.ones_like(last))
    factor = rho * factor / (inner(parts, parts).sqrt() + 1e-12)
    return [factor * r for r in parts]
