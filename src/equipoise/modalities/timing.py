"""Random parts and shifts in time of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from equipoise.modalities.feed import Drawn


def roll_and_cut(stored: Tensor, axis: int, steps: int, middle: int, drawn: Drawn) -> Tensor:
    """Return ``steps`` steps in time of each sample.

    Args:
        stored: (B, ...).
        axis: The axis of time.
        steps: Steps that are kept.
        middle: Where they begin where nothing was drawn.
        drawn: ``window`` (B,): where they begin; ``shift`` (B,): by how much they are moved to
            later times, going around.
    """
    if "shift" not in drawn and "window" not in drawn:
        return stored if stored.shape[axis] == steps else stored.narrow(axis, middle, steps)
    index = torch.arange(steps, device=stored.device).expand(len(stored), steps)
    if "shift" in drawn:
        index = (index - drawn["shift"][:, None]) % steps
    index = index + (drawn["window"][:, None] if "window" in drawn else middle)
    shape = [len(stored), *[1] * (stored.dim() - 1)]
    shape[axis] = steps
    size = list(stored.shape)
    size[axis] = steps
    return stored.gather(axis, index.view(shape).expand(size))
