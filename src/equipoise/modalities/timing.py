"""Random parts and shifts in time of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from equipoise.modalities.feed import Drawn


def cut_and_move(
    stored: Tensor, axis: int, steps: int, middle: int, drawn: Drawn, around: bool
) -> Tensor:
    """Return ``steps`` steps in time of each sample.

    Args:
        stored: (B, ...).
        axis: The axis of time.
        steps: Steps that are kept.
        middle: Where they begin where nothing was drawn.
        drawn: ``window`` (B,): where they begin; ``shift`` (B,): by how much they are moved to
            later times.
        around: What a shift moves out comes in at the other end; else the end value repeats.
    """
    if "shift" not in drawn and "window" not in drawn:
        return stored if stored.shape[axis] == steps else stored.narrow(axis, middle, steps)
    index = torch.arange(steps, device=stored.device).expand(len(stored), steps)
    if "shift" in drawn:
        index = index - drawn["shift"][:, None]
        index = index % steps if around else index.clamp(0, steps - 1)
    index = index + (drawn["window"][:, None] if "window" in drawn else middle)
    shape = [len(stored), *[1] * (stored.dim() - 1)]
    shape[axis] = steps
    size = list(stored.shape)
    size[axis] = steps
    return stored.gather(axis, index.view(shape).expand(size))
