"""Which units of a layer may move, drawn by the energy of their gradients."""

import torch
from torch import Tensor


def unit_energies(gradient: Tensor) -> Tensor:
    """Return the sum of squares of each row (n,) of a gradient (n, ...).

    >>> unit_energies(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([25.,  1.])
    """
    return gradient.flatten(1).square().sum(dim=1)


def drawn_units(energies: Tensor, share: Tensor) -> Tensor:
    """Return a mask (n,), true for ceil(share n) units drawn without replacement by their energy.

    Each draw takes a unit with a probability in proportion to its energy, among those that are
    left: units in the order of their arrival, with exponential times of that rate. Units without
    energy come last. Random numbers are from torch's generator of the device.

    >>> drawn_units(torch.tensor([0.0, 5.0, 0.0]), torch.tensor(0.3))  # one of three, by energy
    tensor([False,  True, False])

    Args:
        energies: (n,), not negative.
        share: Scalar in [0, 1].
    """
    arrivals = torch.empty_like(energies).exponential_() / energies
    order = arrivals.nan_to_num(nan=torch.inf, posinf=torch.inf).argsort()
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=order.device)
    # A share that is a whole number of units may be a rounding error above it.
    return places < torch.ceil(share * len(energies) - 1e-6)


def importance(energies: Tensor, offset: str) -> Tensor:
    """Return 1 / (p + C) (n,) with p = energies / sum, C = 1/n (``inverse_n``) or n (``n``).

    >>> importance(torch.tensor([3.0, 1.0]), "inverse_n")  # p = 3/4 and 1/4, C = 1/2
    tensor([0.8000, 1.3333])
    """
    count = len(energies)
    p = energies / energies.sum().clamp_min(torch.finfo(energies.dtype).tiny)
    return 1 / (p + (1 / count if offset == "inverse_n" else count))


def spread(values: Tensor, gradient: Tensor) -> Tensor:
    """Return ``values`` (n,) in a shape that multiplies the rows of ``gradient`` (n, ...).

    >>> spread(torch.tensor([1.0, 2.0]), torch.zeros(2, 3, 3)).shape
    torch.Size([2, 1, 1])
    """
    return values.reshape(-1, *[1] * (gradient.dim() - 1)).to(gradient.dtype)
