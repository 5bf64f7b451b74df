"""Sound: prepared for an encoder."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from equipoise.modalities.base import Input, Reader
from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import Drawn, Feed
from equipoise.modalities.sound import Augment
from equipoise.modalities.timing import cut_and_move


class SoundFeed(Feed[Augment]):
    """(B, frequency, time) or (B, samples), normalised."""

    channels = "one"

    def __init__(self, reader: Reader[Any], augment: Augment) -> None:
        super().__init__(reader, augment)
        settings = reader.settings
        self._stored = reader.stored().shape[-1]
        samples = settings.samples
        if augment.window is not None:
            samples = round(settings.rate * augment.window)
        self._shape = settings.shape(samples)
        self._features = settings.features

    def input(self) -> Input:
        """Return the shape of the window."""
        return replace(self.reader.input(), shape=self._shape)

    def draw(self, dice: Dice) -> dict[str, Tensor]:
        """Draw window, shift, gain and masks."""
        augment, drawn, steps = self.augment, {}, self._shape[-1]
        if augment.window is not None:
            drawn["window"] = (dice.uniform("window") * (self._stored - steps + 1)).long()
        if augment.shift:
            moved = (2 * dice.uniform("shift") - 1) * (augment.shift * steps)
            drawn["shift"] = moved.round().long()
        if augment.gain:
            drawn["gain"] = (2 * dice.uniform("gain") - 1) * augment.gain
        for name in ("mask_time", "mask_frequency"):
            if longest := getattr(augment, name):
                length, start = dice.uniform(name, augment.masks, 2).unbind(2)
                length = length * longest
                drawn[name] = torch.stack([start * (1 - length), length], dim=2)
        return drawn

    def prepare(self, stored: Tensor, drawn: Drawn) -> Tensor:
        """Cut, roll, change the loudness, normalise and mask."""
        steps, first = self._shape[-1], (self._stored - self._shape[-1]) // 2
        values = cut_and_move(stored, -1, steps, first, drawn, around=True)
        if "gain" in drawn:
            values = self._louder(values.float(), drawn["gain"])
        values = self.normalised(values)
        for name, axis in (("mask_time", -1), ("mask_frequency", -2)):
            if name in drawn:
                values = mask(values, drawn[name], axis)
        return values

    def _louder(self, values: Tensor, decibels: Tensor) -> Tensor:
        """Scale waves; add to logarithms (also to what is silent: the floor moves along)."""
        shape = (-1, *[1] * (values.dim() - 1))
        if self._features == "waveform":
            return values * (10 ** (decibels / 20)).view(shape)
        per = 20 if self._features == "log_stft" else 10  # log of a magnitude, or of a power
        return values + (decibels * (math.log(10) / per)).view(shape)


def mask(values: Tensor, spans: Tensor, axis: int) -> Tensor:
    """Set spans of each normalised sample to the training mean, zero.

    Args:
        values: (B, ...).
        spans: (B, masks, 2) start and length as fractions of the axis.
        axis: -1 (time) or -2 (frequency).
    """
    steps = values.shape[axis]
    place = torch.arange(steps, device=values.device)
    start = (spans[..., :1] * steps).floor()
    masked = (place >= start) & (place < start + (spans[..., 1:] * steps).floor())
    hidden = masked.any(dim=1).view(-1, *[1] * (values.dim() - 2), steps)
    return values.masked_fill(hidden if axis == -1 else hidden.transpose(-1, -2), 0.0)
