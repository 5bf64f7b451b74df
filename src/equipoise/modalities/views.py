"""Feeding an encoder with pictures: random views of a batch, on the device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.modalities import colours, crops
from equipoise.modalities.base import Input
from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import Drawn, Feed
from equipoise.modalities.normalise import Normalisation
from equipoise.modalities.sizes import Colour, Views, Window

ViewsT = TypeVar("ViewsT", bound=Views)


class PicturesFeed(Feed[ViewsT]):
    """(B, [F,] H, W, C) to (B, F, C, H, W): frames, place, colours, mean and deviation.

    A kind may say ``window``, ``segments`` and ``colour`` in its augmentation, too.
    """

    white = 255.0
    """Value of white in units of the stored array, after :meth:`pixels`."""

    def input(self) -> Input:
        """Return (F, C, H, W) after window and crop."""
        given = self.reader.input()
        frames, channels, height, width = given.shape
        if isinstance(self.augment, Window):
            frames = self.augment.frames or frames
        if self.augment.crop:
            height, width = self.augment.crop.size
        return replace(given, shape=(frames, channels, height, width))

    def statistics(self, slabs: Iterable[NDArray[Any]]) -> Normalisation:
        """Return mean and standard deviation of what :meth:`pixels` makes, or those stated."""
        if self.augment.mean:
            scaled = (np.array(self.augment.mean), np.array(self.augment.std))
            mean, std = (tuple(float(f"{v:.6g}") for v in part * self.white) for part in scaled)
            return Normalisation(mean=mean, std=std)
        return super().statistics(self.pixels(torch.from_numpy(slab)).numpy() for slab in slabs)

    def pixels(self, stored: Tensor) -> Tensor:
        """Return stored pictures in the units in which they are normalised."""
        return stored

    def mirrored(self, values: Tensor, flip: Tensor) -> Tensor:
        """Return pictures (B, F, H, W, C) whose left and right were swapped where ``flip``."""
        return values

    def draw(self, dice: Dice) -> dict[str, Tensor]:
        """Draw frames, shift, flip, crop and colours; the same numbers whatever the size is."""
        augment, drawn = self.augment, {}
        frames, _, height, width = self.reader.input().shape
        if isinstance(augment, Window) and augment.frames:
            drawn["frames"] = random_frames(dice, frames, augment)
        if augment.shift:
            steps = 2 * augment.shift + 1
            drawn["shift"] = (dice.uniform("shift", 2) * steps).long() - augment.shift
        if augment.flip:
            drawn["flip"] = dice.uniform("flip") < augment.flip
        if augment.crop:
            tries, place = dice.uniform("crop", crops.TRIES, 2), dice.uniform("place", 2)
            drawn["box"] = crops.random_boxes(tries, place, (height, width), augment.crop)
        if self._colour() is not None:
            drawn["colour"] = colours.plan(dice.uniform("colour", 6), self._colour() or Colour())
        return drawn

    def prepare(self, stored: Tensor, drawn: Drawn) -> Tensor:
        """Take the views, normalise, put channels first (a view: convolutions like that)."""
        values = self.pixels(stored)
        values = values.unsqueeze(1) if values.dim() == 4 else values
        values = self._frames(values, drawn)
        values = self._place(values, drawn)
        if "flip" in drawn:
            values = self.mirrored(values, drawn["flip"])
        if "colour" in drawn:
            values = colours.jitter(values.float(), drawn["colour"], self.white)
        return self.normalised(values).permute(0, 1, 4, 2, 3)

    def _colour(self) -> Colour | None:
        colour: Colour | None = getattr(self.augment, "colour", None)
        return colour if colour and any(colour.model_dump().values()) else None

    def _frames(self, values: Tensor, drawn: Drawn) -> Tensor:
        if "frames" in drawn:
            rows = torch.arange(len(values), device=values.device)[:, None]
            return values[rows, drawn["frames"]]
        if isinstance(self.augment, Window) and self.augment.frames:
            return values[:, middle_frames(values.shape[1], self.augment)]
        return values

    def _place(self, values: Tensor, drawn: Drawn) -> Tensor:
        """Shift, crop and flip."""
        crop = self.augment.crop
        if crop and "box" not in drawn and crop.evaluate == "centre":
            top, left, height, width = crops.middle(_size(values), crop)
            return values[:, :, top : top + height, left : left + width]
        box = drawn.get("box")
        if crop and box is None:
            box = torch.tensor(crops.middle(_size(values), crop), device=values.device)
            box = box.expand(len(values), 4)
        if crop and box is not None and (crop.scale or "box" not in drawn):
            if "shift" in drawn:
                values = moved(values, {"shift": drawn["shift"]})
            return crops.resample(values, box, crop.size, drawn.get("flip"))
        return moved(values, drawn, crop.size if crop else None)


def moved(values: Tensor, drawn: Drawn, size: tuple[int, int] | None = None) -> Tensor:
    """Shift, cut out and flip by whole pixels: each sample's pictures (B, F, H, W, C) its own way.

    The border repeats. ``drawn``: ``shift`` (B, 2) down and right, ``box`` (B, 4) of one ``size``
    for all, ``flip`` (B,).
    """
    if not {"shift", "box", "flip"} & drawn.keys():
        return values
    axes = []
    for axis, length in enumerate(_size(values)):
        index = torch.arange(length, device=values.device).expand(len(values), length)
        if size is not None and "box" in drawn:
            wanted = torch.arange(size[axis], device=values.device)
            index = drawn["box"][:, axis, None] + wanted
        if "shift" in drawn:
            index = (index - drawn["shift"][:, axis, None]).clamp(0, length - 1)
        axes.append(index)
    if "flip" in drawn:
        axes[1] = torch.where(drawn["flip"][:, None], axes[1].flip(1), axes[1])
    return crops.gather(values, *axes)


def random_frames(dice: Dice, frames: int, augment: Window) -> Tensor:
    """Draw which of ``frames`` frames each sample gets: (N, wanted) indices."""
    if augment.window:
        start = (dice.uniform("window") * (frames - augment.window + 1)).long()
        return start[:, None] + torch.arange(augment.window, device=start.device)
    segments = augment.segments or frames
    within = dice.uniform("segments", segments).double()
    part = torch.arange(segments, device=within.device)
    return ((part + within) * (frames / segments)).long().clamp_(max=frames - 1)


def middle_frames(frames: int, augment: Window) -> list[int]:
    """Return the indices of the frames that evaluation gets."""
    if augment.window:
        start = (frames - augment.window) // 2
        return list(range(start, start + augment.window))
    segments = augment.segments or frames
    return [int((part + 0.5) * frames / segments) for part in range(segments)]


def _size(values: Tensor) -> tuple[int, int]:
    return values.shape[2], values.shape[3]
