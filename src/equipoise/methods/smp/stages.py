"""The mathematics of SMP: which stage an epoch is in, and which encoders train in it."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def solo_epochs(epochs: int, modalities: int) -> int:
    """Return the length of each of the M - 1 solo stages that take half of all epochs together.

    >>> solo_epochs(epochs=12, modalities=3)
    3
    """
    return epochs // 2 // max(1, modalities - 1)


def stage(t: int, solo: int, modalities: int) -> int:
    """Return the stage, from 0, of the t-th epoch of a run, from 1.

    M - 1 solo stages of ``solo`` epochs each; stage M - 1 is the joint one.

    >>> [stage(t, solo=3, modalities=2) for t in (1, 3, 4)]
    [0, 0, 1]
    """
    return min((t - 1) // solo, modalities - 1) if solo else modalities - 1


def factors(scores: Mapping[str, Tensor], stage: int) -> dict[str, Tensor]:
    """Return kappa_m, scalars: 1 for the modality that leads in a stage, 0 for the others.

    In stage j the one with the j-th smallest score leads, of equals the first named; in the last
    stage, M - 1, all kappa_m are 1.

    >>> rho = {"audio": torch.tensor(0.9), "video": torch.tensor(0.4)}
    >>> {m: float(kappa) for m, kappa in factors(rho, 0).items()}
    {'audio': 0.0, 'video': 1.0}

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
    """Return the tensors of four dimensions, or all where there is none.

    >>> kernel, bias = nn.Parameter(torch.zeros(4, 3, 1, 1)), nn.Parameter(torch.zeros(4))
    >>> [tuple(p.shape) for p in convolutions([kernel, bias])]
    [(4, 3, 1, 1)]
    """
    every = list(parameters)
    return [parameter for parameter in every if parameter.dim() == 4] or every
