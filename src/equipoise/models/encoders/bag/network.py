"""The mean of learned token vectors."""

from __future__ import annotations

from torch import Tensor, nn

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder, masked_mean
from equipoise.models.encoders.bag import Options


class Bag(Encoder):
    """Token vectors, their mean, a hidden layer."""

    def __init__(self, vocabulary: int, features: int, options: Options) -> None:
        super().__init__(options.width, features)
        self.stem = nn.Embedding(vocabulary, options.width)
        self.body = nn.Sequential(nn.Linear(options.width, options.width), nn.ReLU())

    def embed(self, inputs: Tensor) -> Tensor:
        """Map tokens (B, 2, L) to (B, E)."""
        values: Tensor = self.body(masked_mean(self.stem(inputs[:, 0]), inputs[:, 1].float()))
        return values


def build(given: Input, features: int, options: Options) -> Bag:
    """Return the encoder of tokens (2, L)."""
    return Bag(given.vocabulary, features, options)
