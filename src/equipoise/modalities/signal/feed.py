"""Signals: prepared for an encoder."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from equipoise.modalities.base import Input
from equipoise.modalities.draws import Dice, hashed
from equipoise.modalities.feed import Drawn, Feed
from equipoise.modalities.signal import Augment
from equipoise.modalities.timing import cut_and_move


class SignalFeed(Feed[Augment]):
    """(B, T, C) or (B, C), normalised."""

    def input(self) -> Input:
        """Return the shape of the window."""
        given = self.reader.input()
        if self.augment.window is None:
            return given
        return replace(given, shape=(self.augment.window, *given.shape[1:]))

    def draw(self, dice: Dice) -> dict[str, Tensor]:
        """Draw window, shift, factors, and a seed of the noise."""
        augment, drawn, steps = self.augment, {}, self.input().shape[0]
        if augment.window is not None:
            places = self.reader.stored().shape[0] - steps + 1
            drawn["window"] = (dice.uniform("window") * places).long()
        if augment.shift:
            moved = (2 * dice.uniform("shift") - 1) * (augment.shift * steps)
            drawn["shift"] = moved.round().long()
        if augment.scale:
            numbers = dice.uniform("scale", self.reader.stored().shape[-1])
            drawn["scale"] = 1 + augment.scale * normal(numbers)
        if augment.jitter:
            drawn["jitter"] = dice.uniform("jitter")
        return drawn

    def prepare(self, stored: Tensor, drawn: Drawn) -> Tensor:
        """Cut, move, scale, normalise, and add noise."""
        values = stored
        if stored.dim() == 3:
            steps = self.input().shape[0]
            middle = (stored.shape[1] - steps) // 2
            values = cut_and_move(stored, 1, steps, middle, drawn, around=False)
        if "scale" in drawn:
            factor = drawn["scale"]
            values = values * (factor if values.dim() == 2 else factor[:, None])
        values = self.normalised(values)
        if "jitter" in drawn:
            noise = normal(hashed(drawn["jitter"], values[0].numel())).view_as(values)
            values = values + self.augment.jitter * noise
        return values


def normal(uniform: Tensor) -> Tensor:
    """Return standard normal numbers of numbers uniform in [0, 1), within 5.2 deviations."""
    numbers: Tensor = torch.special.ndtri(uniform.clamp(1e-7, 1 - 1e-7))
    return numbers
