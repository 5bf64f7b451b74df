"""Kind ``frames``: pictures of a moving picture, chosen by time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equipoise.modalities.axes import check_axes
from equipoise.modalities.packing import Store, check_store
from equipoise.modalities.picks import PickSettings
from equipoise.modalities.sizes import (
    Both,
    Colour,
    Pair,
    Quality,
    Views,
    Window,
    check_views,
    check_window,
    clip_left_out,
    grey_depth,
)
from equipoise.modalities.suffixes import ARRAYS, VIDEOS
from equipoise.registry import KindInfo
from equipoise.section import Section


class Settings(Section):
    """How a clip's picture is stored: (frames, height, width, channels), uint8 or uint16."""

    pick: PickSettings
    size: Both
    """Height and width of a frame in pixels: one number, or both."""
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
    axes: str = "thwc"
    """Of a file of arrays: its axes in order; t time, h height, w width, c channel, 1 nothing."""
    rate: Annotated[float, Field(gt=0)] | None = None
    """Of a file of arrays: frames in a second (``pick: {every}`` needs it)."""

    @model_validator(mode="after")
    def _depth(self) -> Settings:
        grey_depth(self.bits, self.channels, self.range)
        check_store(self.store, self.bits)
        check_axes(self.axes, "thwc", needed="hw")
        return self


class Augment(Views, Window):
    """What is random in training."""

    colour: Colour = Colour()


def _check(settings: Settings, augment: Augment) -> None:
    check_views(settings.size, settings.channels, augment)
    check_window(settings.pick.frames, augment)


KIND = KindInfo(
    summary="frames of a video, chosen by time",
    settings=Settings,
    augment=Augment,
    reader="equipoise.modalities.frames.reader:FramesReader",
    feed="equipoise.modalities.frames.feed:FramesFeed",
    layout=lambda settings: "pictures",
    words=("video", "rgb", "clip"),
    propose="equipoise.modalities.frames.reader:propose",
    encoder=lambda settings: "conv_frames",
    suffixes=(*VIDEOS, *ARRAYS),
    check=_check,
    left_out=clip_left_out,
)
