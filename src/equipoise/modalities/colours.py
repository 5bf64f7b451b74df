"""Random colours of a batch of pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from equipoise.modalities.sizes import Colour

GREY = (0.2989, 0.587, 0.114)
"""Parts of red, green and blue in a grey picture (ITU-R BT.601, torchvision's digits)."""
NAMES = ("brightness", "contrast", "saturation")


def plan(numbers: Tensor, colour: Colour) -> Tensor:
    """Return what is done first, second, third: (N, 3 steps, 3 changes), factors; 1: nothing.

    Args:
        numbers: (N, 6) in [0, 1): the factors, then what decides the order.
        colour: Strengths.
    """
    strength = torch.tensor([getattr(colour, name) for name in NAMES], device=numbers.device)
    low = (1 - strength).clamp(min=0)
    factors = low + numbers[:, :3] * (1 + strength - low)
    order = numbers[:, 3:].argsort(dim=1)
    step = torch.arange(3, device=numbers.device)
    return torch.where(order[:, None, :] == step[:, None], factors[:, None, :], 1.0)


def jitter(values: Tensor, plan: Tensor, white: float) -> Tensor:
    """Change the colours of each sample, alike in all of its frames.

    Each change is f x + (1 - f) y, cut to 0 ... white, with y = 0 (brightness), the mean of the
    frame's grey version (contrast) or the grey version itself (saturation): torchvision's
    ``adjust_*`` on pictures of floats. So one step costs the same whichever change it is.

    Args:
        values: float32 (B, F, H, W, C), 0 to ``white``.
        plan: (B, 3, 3), see :func:`plan`.
        white: Largest value.
    """
    for step in range(3):
        factor = plan[:, step, :, None, None, None, None]
        grey = _grey(values)
        mean = grey.mean(dim=(2, 3, 4), keepdim=True)
        other = (1 - factor[:, 1]) * mean + (1 - factor[:, 2]) * grey
        values = (values * plan[:, step].prod(dim=1)[:, None, None, None, None] + other).clamp_(
            0, white
        )
    return values


def _grey(values: Tensor) -> Tensor:
    """Return (B, F, H, W, 1)."""
    if values.shape[-1] == 1:
        return values
    return (values * torch.tensor(GREY, device=values.device)).sum(dim=-1, keepdim=True)
