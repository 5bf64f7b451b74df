"""Encoder ``mlp``: a perceptron with hidden layers, for feature vectors and tables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from equipoise.registry import EncoderInfo
from equipoise.section import Positive, Section


class Options(Section):
    """Options."""

    width: Positive = 128
    """Units of each hidden layer. Origin: ours."""
    layers: Annotated[int, Field(ge=1, le=16)] = 2
    """Hidden layers. Origin: ours."""


ENCODERS = {
    "mlp": EncoderInfo(
        summary="hidden layers with ReLU; for vectors",
        reads=("vector",),
        plugin="equipoise.models.encoders.mlp.network:build",
        options=Options,
    )
}
