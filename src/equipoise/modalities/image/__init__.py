"""Kind ``image``: a still picture."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from equipoise.modalities.sizes import Size, Views
from equipoise.registry import KindInfo
from equipoise.section import Section


class Settings(Section):
    """How a still picture is stored: (height, width, channels), uint8 or uint16."""

    size: Size | tuple[Size, Size]
    """Height and width in pixels: one number, or both."""
    fit: Literal["stretch", "crop"] = "stretch"
    """``stretch``: the picture is scaled to the size; ``crop``: its middle is, undistorted."""
    channels: Literal[1, 3] = 3
    """3: RGB; 1: grey."""
    bits: Literal[8, 16] = 8
    """16: one channel with its full depth, as of depth cameras."""

    @model_validator(mode="after")
    def _grey(self) -> Settings:
        if self.bits == 16 and self.channels != 1:
            raise ValueError("bits: 16 are of one channel; add channels: 1")
        return self


class Augment(Views):
    """What is random in training."""


KIND = KindInfo(
    summary="a still picture",
    settings=Settings,
    augment=Augment,
    reader="equipoise.modalities.image.reader:ImageReader",
    feed="equipoise.modalities.image.feed:ImageFeed",
    layout=lambda settings: "pictures",
    words=("picture", "photo"),
    propose="equipoise.modalities.image.reader:propose",
    encoder="conv_frames",
    suffixes=(".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tga", ".tif", ".tiff", ".webp"),
)
