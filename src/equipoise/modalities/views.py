"""Random views of a batch of pictures, on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import Drawn
from equipoise.modalities.sizes import Views


def draw(augment: Views, dice: Dice) -> dict[str, Tensor]:
    """Draw what :func:`view` needs for one epoch."""
    drawn = {}
    if augment.shift:
        steps = 2 * augment.shift + 1
        drawn["shift"] = (dice.uniform("shift", 2) * steps).long() - augment.shift
    return drawn


def view(stored: Tensor, augment: Views, drawn: Drawn) -> Tensor:
    """Return the random views of a batch of stored pictures (B, [F,] H, W, C)."""
    return shift(stored, drawn["shift"]) if "shift" in drawn else stored


def shift(stored: Tensor, offsets: Tensor) -> Tensor:
    """Move each sample's pictures by its own offset; the border repeats.

    Args:
        stored: (B, [F,] H, W, C).
        offsets: (B, 2) integers, down and right.
    """
    height, width = stored.shape[-3:-1]
    device = stored.device
    rows = (torch.arange(height, device=device) - offsets[:, :1]).clamp_(0, height - 1)
    columns = (torch.arange(width, device=device) - offsets[:, 1:]).clamp_(0, width - 1)
    pixels = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)  # (B, H * W)
    flat = stored.flatten(-3, -2)  # (B, [F,] H * W, C)
    index = pixels[:, None, :, None] if stored.dim() == 5 else pixels[:, :, None]
    return flat.gather(-2, index.expand_as(flat)).view_as(stored)


def channels_first(values: Tensor) -> Tensor:
    """Return (B, F, C, H, W) of (B, [F,] H, W, C), as a view: convolutions like channels last."""
    pictures = values if values.dim() == 5 else values.unsqueeze(1)
    return pictures.permute(0, 1, 4, 2, 3)
