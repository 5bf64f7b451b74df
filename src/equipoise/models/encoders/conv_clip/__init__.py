"""Encoder ``conv_clip``: frames one by one, then their order, as those who read lips do.

The form is that of Stafylakis and Tzimiropoulos (Interspeech 2017): convolutions over the picture,
then over time; here small enough for a CPU.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from equipoise.registry import EncoderInfo
from equipoise.section import Positive, Section


class Options(Section):
    """Options."""

    width: Positive = 64
    """Numbers that are left of a frame, and channels over time. Origin: ours."""
    kernel: Annotated[int, Field(ge=1, le=31)] = 5
    """Length of the convolution over time in frames, odd. Origin: ours."""
    moments: Positive = 6
    """Equal parts of the clip that are averaged, and kept apart in their order. Origin: ours."""


ENCODERS = {
    "conv_clip": EncoderInfo(
        summary="small 2-D convolutions on every frame, then over time; where order matters (lips)",
        reads=("pictures",),
        plugin="equipoise.models.encoders.conv_clip.network:build",
        options=Options,
        paper="Stafylakis and Tzimiropoulos, Interspeech 2017",
    )
}
