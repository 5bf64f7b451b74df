"""The mathematics of SMP: which stage an epoch is in, and which encoders train in it."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def solo_epochs(epochs: int, modalities: int) -> int:
    """Return the length of each of the M - 1 solo stages that take half of all epochs together."""
    return epochs // 2 // max(1, modalities - 1)


def stage(t: int, solo: int, modalities: int) -> int:
    """Return the stage, from 0, of the t-th epoch of a run, from 1.

    M - 1 solo stages of ``solo`` epochs each; stage M - 1 is the joint one.
    """
    return min((t - 1) // solo, modalities - 1) if solo else modalities - 1


def factors(scores: Mapping[str, Tensor], stage: int) -> dict[str, Tensor]:
    """Return kappa_m, scalars: 1 for the modality that leads in a stage, 0 for the others.

    In stage j the one with the j-th smallest score leads, of equals the first named; in the last
    stage, M - 1, all kappa_m are 1.

    Args:
        scores: Modality to rho_m, scalars.
        stage: From 0.
    """
    if stage >= len(scores) - 1:
        return {m: torch.ones_like(rho) for m, rho in scores.items()}
    order = torch.stack(list(scores.values())).argsort(stable=True)
    places = torch.arange(len(scores), device=order.device)
    leads = (places == order[stage]).to(next(iter(scores.values())).dtype)
    return dict(zip(scores, leads, strict=True))


def convolutions(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """Return the tensors of four dimensions, or all where there is none."""
    every = list(parameters)
    return [parameter for parameter in every if parameter.dim() == 4] or every
