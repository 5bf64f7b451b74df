"""Gated recurrent units."""

from __future__ import annotations

from torch import Tensor, nn

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder
from equipoise.models.encoders.gru import Options


class Recurrent(Encoder):
    """Both directions side by side, the mean over time."""

    def __init__(self, channels: int, features: int, options: Options) -> None:
        super().__init__(2 * options.width, features)
        self.body = nn.GRU(
            channels, options.width, options.layers, batch_first=True, bidirectional=True
        )

    def embed(self, inputs: Tensor) -> Tensor:
        """Map normalised sequences (B, T, C) to (B, E)."""
        states: Tensor = self.body(inputs)[0]
        return states.mean(dim=1)


def build(given: Input, features: int, options: Options) -> Recurrent:
    """Return the encoder of sequences (T, C)."""
    return Recurrent(given.shape[1], features, options)
