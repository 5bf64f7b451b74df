"""Sound: prepared for an encoder."""

from __future__ import annotations

import torch
from torch import Tensor

from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import Drawn, Feed
from equipoise.modalities.sound import Augment


class SoundFeed(Feed[Augment]):
    """(B, frequency, time), normalised."""

    channels = "one"

    def draw(self, dice: Dice) -> dict[str, Tensor]:
        """Draw the masked span: start and length as fractions of the time axis."""
        if not self.augment.mask_time:
            return {}
        length, start = dice.uniform("mask_time", 2).unbind(1)
        length = length * self.augment.mask_time
        return {"mask_time": torch.stack([start * (1 - length), length], dim=1)}

    def prepare(self, stored: Tensor, drawn: Drawn) -> Tensor:
        """Normalise and mask."""
        values = self.normalised(stored)
        return mask_time(values, drawn["mask_time"]) if "mask_time" in drawn else values


def mask_time(spectrograms: Tensor, spans: Tensor) -> Tensor:
    """Set one span of each normalised spectrogram to the training mean, zero.

    Args:
        spectrograms: (B, frequency, time).
        spans: (B, 2) start and length as fractions of the time axis.
    """
    steps = spectrograms.shape[-1]
    time = torch.arange(steps, device=spectrograms.device)
    start = (spans[:, :1] * steps).floor()
    masked = (time >= start) & (time < start + (spans[:, 1:] * steps).floor())
    return spectrograms.masked_fill(masked[:, None, :], 0.0)
