"""A perceptron with hidden layers."""

from __future__ import annotations

from torch import Tensor, nn

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder
from equipoise.models.encoders.mlp import Options


class Perceptron(Encoder):
    """Linear layers with ReLU."""

    def __init__(self, values: int, features: int, options: Options) -> None:
        super().__init__(options.width, features)
        layers: list[nn.Module] = []
        for before in [values, *[options.width] * (options.layers - 1)]:
            layers += [nn.Linear(before, options.width), nn.ReLU()]
        self.body = nn.Sequential(*layers)

    def embed(self, inputs: Tensor) -> Tensor:
        """Map normalised vectors (B, V) to (B, E)."""
        values: Tensor = self.body(inputs)
        return values


def build(given: Input, features: int, options: Options) -> Perceptron:
    """Return the encoder of vectors (V,)."""
    return Perceptron(given.shape[0], features, options)
