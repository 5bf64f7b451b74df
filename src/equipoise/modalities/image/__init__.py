"""Kind ``image``: a still picture."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from equipoise.modalities.axes import check_axes
from equipoise.modalities.packing import Store, check_store
from equipoise.modalities.sizes import (
    Both,
    Colour,
    Pair,
    Quality,
    Views,
    check_views,
    grey_depth,
    views_left_out,
)
from equipoise.modalities.suffixes import ARRAYS, STILLS
from equipoise.registry import KindInfo
from equipoise.section import Section


class Settings(Section):
    """How a still picture is stored: (height, width, channels), uint8 or uint16."""

    size: Both
    """Height and width in pixels: one number, or both."""
    fit: Literal["stretch", "crop"] = "stretch"
    """``stretch``: the picture is scaled to the size; ``crop``: its middle is, undistorted."""
    channels: Literal[1, 3] = 3
    """3: RGB; 1: grey."""
    bits: Literal[8, 16] = 8
    """16: one channel with its full depth, as of depth cameras."""
    range: Pair[int] | None = None
    """With 16 bits: values outside are cut, then [low, high] becomes 0 to 1 (not when stored, but
    when an encoder is given them); null: they are normalised as they are."""
    store: Store = "raw"
    """``raw``: every value; ``jpeg``: fewer bytes, and values that differ by a few levels."""
    quality: Quality = 95
    """Of ``store: jpeg``, as libjpeg counts."""
    key: str = ""
    """Of a file of arrays: the name of the array; empty: there is one only."""
    axes: str = "hwc"
    """Of a file of arrays: its axes in order; h height, w width, c channel, 1 nothing."""

    @model_validator(mode="after")
    def _depth(self) -> Settings:
        grey_depth(self.bits, self.channels, self.range)
        check_store(self.store, self.bits)
        check_axes(self.axes, "hwc", needed="hw")
        return self


class Augment(Views):
    """What is random in training."""

    colour: Colour = Colour()


KIND = KindInfo(
    summary="a still picture",
    settings=Settings,
    augment=Augment,
    reader="equipoise.modalities.image.reader:ImageReader",
    feed="equipoise.modalities.image.feed:ImageFeed",
    layout=lambda settings: "pictures",
    words=("picture", "photo"),
    propose="equipoise.modalities.image.reader:propose",
    encoder=lambda settings: "conv_frames",
    suffixes=(*STILLS, *ARRAYS),
    check=lambda settings, augment: check_views(settings.size, settings.channels, augment),
    left_out=lambda settings, augment: views_left_out(settings.size, augment),
)
