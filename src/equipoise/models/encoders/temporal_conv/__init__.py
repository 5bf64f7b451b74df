"""Encoder ``temporal_conv``: dilated convolutions over time with residual connections.

After Bai, Kolter and Koltun (arXiv 1803.01271), but not causal (a sample is there as a whole) and
with batch normalisation in place of weight normalisation and dropout.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from equipoise.registry import EncoderInfo
from equipoise.section import Positive, Section


class Options(Section):
    """Options."""

    width: Positive = 64
    """Channels of each block. Origin: ours."""
    blocks: Annotated[int, Field(ge=1, le=12)] = 4
    """Blocks; block k looks 2^k steps apart. Origin: ours."""
    kernel: Annotated[int, Field(ge=1, le=31)] = 5
    """Length of each convolution in steps, odd. Origin: ours."""


ENCODERS = {
    "temporal_conv": EncoderInfo(
        summary="dilated convolutions over time, averaged over time; for sequences",
        reads=("sequence",),
        plugin="equipoise.models.encoders.temporal_conv.network:build",
        options=Options,
        paper="Bai et al., arXiv 1803.01271",
    )
}
