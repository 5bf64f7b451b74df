"""Encoders ``resnet18``, ``resnet34`` and ``resnet50``.

The networks are torchvision's, without their last layer: pretrained weights are read under
torchvision's names. Frames are encoded one by one and averaged, a spectrogram is a picture of one
channel, as in Peng et al. (CVPR 2022) and most papers that followed.
"""

from __future__ import annotations

from typing import Literal

from equipoise.registry import EncoderInfo
from equipoise.section import Section


class Options(Section):
    """Options of every ResNet."""

    entry: Literal["large", "small"] = "large"
    """``large``: 7x7 convolution of stride 2 and a pooling, for pictures from 64 pixels on (He et
    al., table 1; what pretrained weights are of); ``small``: 3x3 of stride 1 without pooling, for
    pictures of 28 to 64 pixels (He et al., section 4.2)."""


def _info(depth: int) -> EncoderInfo:
    return EncoderInfo(
        summary=f"residual network of {depth} layers on every frame, averaged over frames",
        reads=("pictures", "spectrogram"),
        plugin=f"equipoise.models.encoders.resnet.network:build{depth}",
        options=Options,
        parts=("stem", "body", "projection"),
        paper="He et al., CVPR 2016",
    )


ENCODERS = {f"resnet{depth}": _info(depth) for depth in (18, 34, 50)}
