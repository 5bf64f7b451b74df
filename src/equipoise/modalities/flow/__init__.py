"""Kind ``flow``: how picture elements move from one frame to the next."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equipoise.modalities.axes import check_axes
from equipoise.modalities.picks import PickSettings
from equipoise.modalities.sizes import (
    Both,
    Pair,
    Views,
    Window,
    check_views,
    check_window,
    clip_left_out,
)
from equipoise.modalities.suffixes import ARRAYS, STILLS, VIDEOS
from equipoise.registry import KindInfo
from equipoise.section import Section


class Settings(Section):
    """How a flow is stored: (flows, height, width, 2), int8; right and down, in pixels of it."""

    pick: PickSettings
    """Each flow is from a picked frame to the next picked one (one more is read): pick frames
    close in time, such as ``{every: 0.04, count: 64}``."""
    size: Both
    """Height and width in pixels: one number, or both; frames are scaled, then compared."""
    fit: Literal["stretch", "crop"] = "stretch"
    """``stretch``: the picture is scaled to the size; ``crop``: its middle is, undistorted."""
    method: Literal["dis", "tvl1"] = "dis"
    """Of videos. ``dis``: dense inverse search (Kroeger et al., ECCV 2016); ``tvl1``: total
    variation (Zach et al., 2007; what I3D was trained on), some fifty times slower."""
    preset: Literal["ultrafast", "fast", "medium"] = "medium"
    """Of ``dis``: OpenCV's."""
    bound: Annotated[float, Field(gt=0)] = 20.0
    """Pixels that are stored as 127; longer vectors are cut to it. Origin: 20 of two-stream
    networks (Simonyan and Zisserman, NeurIPS 2014, released code)."""
    key: str = ""
    """Of a file of arrays: the name of the array; empty: there is one only."""
    axes: str = "thwc"
    """Of a file of arrays: its axes in order; t time, h height, w width, c right and down."""
    rate: Annotated[float, Field(gt=0)] | None = None
    """Of arrays and pictures: flows in a second (``pick: {every}`` needs it)."""
    pair: Pair[str] = ("flow_x", "flow_y")
    """Of pictures: what stands in the names of the horizontal ones, and what of the vertical ones.
    The column names a horizontal picture, or a folder of such pictures."""
    coded: Annotated[float, Field(gt=0)] = 20.0
    """Of pictures: 0 to 255 stand for minus to plus so many pixels."""

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        check_axes(self.axes, "thwc", needed="hwc")
        if min(self.size) < 16:
            raise ValueError("size: 16 pixels or more, for less has no flow")
        if self.pair[0] == self.pair[1] or not all(self.pair):
            raise ValueError("pair: two different parts of names")
        return self


class Augment(Views, Window):
    """What is random in training; a flip turns right into left. Crops do not scale the vectors."""


def _check(settings: Settings, augment: Augment) -> None:
    check_views(settings.size, 2, augment)
    check_window(settings.pick.frames, augment)


KIND = KindInfo(
    summary="optical flow of a video, computed, or read from pictures or arrays",
    settings=Settings,
    augment=Augment,
    reader="equipoise.modalities.flow.reader:FlowReader",
    feed="equipoise.modalities.flow.feed:FlowFeed",
    layout=lambda settings: "pictures",
    words=("optical_flow",),
    encoder=lambda settings: "conv_frames",
    suffixes=(*VIDEOS, *ARRAYS, *STILLS),
    check=_check,
    left_out=clip_left_out,
)
