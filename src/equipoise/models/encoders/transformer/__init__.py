"""Encoder ``transformer``: self-attention over a sequence or over tokens, from scratch.

The encoder of Vaswani et al., normalised before each layer (Xiong et al., ICML 2020), which trains
without a warm-up of the learning rate, with learned positions. No dropout: several processes of one
job could not draw the same.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from equipoise.registry import EncoderInfo
from equipoise.section import Positive, Section


class Options(Section):
    """Options."""

    width: Positive = 64
    """Length of the vector at each position. Origin: ours."""
    heads: Positive = 4
    """Attention heads, a divisor of width. Origin: ours."""
    layers: Annotated[int, Field(ge=1, le=24)] = 2
    """Layers. Origin: ours."""

    @model_validator(mode="after")
    def _divides(self) -> Options:
        if self.width % self.heads:
            raise ValueError(f"heads: {self.heads} does not divide width {self.width}")
        return self


ENCODERS = {
    "transformer": EncoderInfo(
        summary="self-attention, averaged over what is no padding; for sequences and tokens",
        reads=("sequence", "tokens"),
        plugin="equipoise.models.encoders.transformer.network:build",
        options=Options,
        parts=("stem", "body", "projection"),
        paper="Vaswani et al., NeurIPS 2017",
    )
}
