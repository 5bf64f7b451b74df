"""Encoder ``gru``: a recurrent network over time, read in both directions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from equipoise.registry import EncoderInfo
from equipoise.section import Positive, Section


class Options(Section):
    """Options."""

    width: Positive = 64
    """Units of each direction. Origin: ours."""
    layers: Annotated[int, Field(ge=1, le=8)] = 1
    """Recurrent layers, one on the other. Origin: ours."""


ENCODERS = {
    "gru": EncoderInfo(
        summary="gated recurrent units in both directions, averaged over time; for sequences",
        reads=("sequence",),
        plugin="equipoise.models.encoders.gru.network:build",
        options=Options,
        paper="Cho et al., EMNLP 2014",
    )
}
