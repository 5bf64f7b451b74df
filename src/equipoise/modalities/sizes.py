"""Settings that kinds of pictures share."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from equipoise.registry import LeftOut
from equipoise.section import Positive, Section

T = TypeVar("T")

Size = Annotated[int, Field(ge=8, lt=2**16)]
"""Pixels of one side: no format of pictures has more."""
Pair = Annotated[tuple[T, T], Field(strict=False)]
"""Two values of one type; a list of YAML or JSON will do."""
Both = Annotated[
    tuple[Size, Size],
    Field(strict=False),
    BeforeValidator(lambda size: (size, size) if isinstance(size, int) else size),
]
"""Height and width in pixels: one number, or both."""
Values = Annotated[tuple[float, ...], Field(strict=False)]
Quality = Annotated[int, Field(ge=1, le=100)]
Strength = Annotated[float, Field(ge=0)]


class Crop(Section):
    """The part of a picture that the encoder gets.

    Origin: random resized crop of Szegedy et al., CVPR 2015, section 6, as torchvision has it.
    """

    size: Both
    """Height and width of what the encoder gets."""
    scale: Pair[float] | None = (0.08, 1.0)
    """In training: share of the picture's area that is cut out and scaled to ``size``, uniform
    between these; null: a random part of ``size`` pixels, not scaled."""
    ratio: Pair[float] = (0.75, 4 / 3)
    """Width / height of that part, log-uniform between these."""
    evaluate: Literal["centre", "whole"] = "centre"
    """In evaluation: the ``size`` pixels in the middle, or the whole picture scaled to ``size``."""

    @model_validator(mode="after")
    def _ranges(self) -> Crop:
        low, high = self.scale or (1.0, 1.0)
        if not 0 < low <= high <= 1:
            raise ValueError("scale: two shares of the area, 0 < low <= high <= 1")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError("ratio: two positive numbers, low <= high")
        return self


class Colour(Section):
    """Random colours in random order: torchvision's ColorJitter without hue; 0: off.

    f is uniform in [max(0, 1 - strength), 1 + strength].
    """

    brightness: Strength = 0.0
    """The picture is multiplied by f."""
    contrast: Strength = 0.0
    """f picture + (1 - f) the mean of its grey version."""
    saturation: Strength = 0.0
    """f picture + (1 - f) its grey version."""


class Views(Section):
    """What is random in training for every kind of picture, and what evaluation does instead."""

    shift: Annotated[int, Field(ge=0)] = 0
    """Pictures move by up to so many pixels; the border repeats (0: off)."""
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that left and right are swapped."""
    crop: Crop | None = None
    """The part that the encoder gets; null: the whole picture, as stored."""
    mean: Values = ()
    """In place of the training split's: mean of each channel, black 0 and white 1 (as published
    weights ask for)."""
    std: Values = ()
    """With ``mean``: standard deviation."""
    share: str = ""
    """Modalities with the same word here get the same random numbers: one crop for two cameras."""

    @model_validator(mode="after")
    def _both(self) -> Views:
        if len(self.mean) != len(self.std) or any(value <= 0 for value in self.std):
            raise ValueError("mean and std: one value for each channel, std above 0")
        return self


class Window(Section):
    """Which of the stored frames the encoder gets."""

    window: Positive | None = None
    """So many in a row: a random place in training, the middle in evaluation."""
    segments: Positive | None = None
    """One of each of so many equal parts: a random one in training, the middle one in evaluation.
    Origin: temporal segment networks (Wang et al., ECCV 2016, section 3.1)."""

    @model_validator(mode="after")
    def _one(self) -> Window:
        if self.window and self.segments:
            raise ValueError("say window or segments, not both")
        return self

    @property
    def frames(self) -> int | None:
        """Frames that the encoder gets; None: all."""
        return self.window or self.segments


def check_views(size: tuple[int, int], channels: int, augment: Views) -> None:
    """Raise ValueError where the views cannot be taken of pictures of this size."""
    crop = augment.crop
    if crop and (crop.scale is None or crop.evaluate == "centre"):
        fits = crop.size[0] <= size[0] and crop.size[1] <= size[1]
        if not fits:
            raise ValueError(f"augment.crop.size {crop.size} is larger than size {size}")
    if len(augment.mean) not in (0, channels):
        raise ValueError(f"augment.mean: {channels} values, one for each channel")


def check_window(frames: int, augment: Window) -> None:
    """Raise ValueError where more frames are asked for than are stored."""
    if (wanted := augment.frames) and wanted > frames:
        raise ValueError(f"augment asks for {wanted} of {frames} stored frames")


def grey_depth(bits: int, channels: int, span: Any) -> None:
    """Raise ValueError where 16 bits, their range and the number of channels do not fit."""
    if bits == 16 and channels != 1:
        raise ValueError("bits: 16 are of one channel; add channels: 1")
    if span is not None and (bits != 16 or not 0 <= span[0] < span[1] <= 65535):
        raise ValueError("range: [low, high] of 16-bit values, 0 <= low < high <= 65535")


def views_left_out(size: tuple[int, int], augment: Views) -> LeftOut:
    """Return the share of a stored picture's area that ``crop`` leaves out; empty: nothing.

    In training, with ``scale``, the average of the areas that are asked for: those that do not fit
    into the picture with their ratio are drawn again, which is not counted.
    """
    if augment.crop is None:
        return {}
    fixed = 1 - min(math.prod(augment.crop.size) / math.prod(size), 1.0)
    low, high = augment.crop.scale or (1 - fixed, 1 - fixed)
    whole = augment.crop.evaluate == "whole"
    found = {("area", "training"): (1 - (low + high) / 2, 1 - low)}
    found["area", "evaluation"] = (0.0, 0.0) if whole else (fixed, fixed)
    return {part: shares for part, shares in found.items() if shares[1] > 0}


def clip_left_out(settings: Any, augment: Any) -> LeftOut:
    """Return the same of stored frames or flow: in area, and in time."""
    return {
        **views_left_out(settings.size, augment),
        **time_left_out(augment.window, settings.pick.frames),
    }


def time_left_out(window: float | None, stored: float) -> LeftOut:
    """Return the share of a stored sample's time that ``window`` leaves out; empty: nothing."""
    if window is None or window >= stored:
        return {}
    share = 1 - window / stored
    return {("time", when): (share, share) for when in ("training", "evaluation")}
