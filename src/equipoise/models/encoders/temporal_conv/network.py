"""Dilated convolutions over time."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder
from equipoise.models.encoders.temporal_conv import Options


class Block(nn.Module):
    """Two convolutions beside a residual connection; time keeps its length."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (inputs, outputs):
            conv = nn.Conv1d(before, outputs, kernel, padding="same", dilation=dilation, bias=False)
            layers += [conv, nn.BatchNorm1d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.beside = nn.Identity() if inputs == outputs else nn.Conv1d(inputs, outputs, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C', T)."""
        return functional.relu(self.layers(inputs) + self.beside(inputs))


class TemporalConv(Encoder):
    """Blocks of growing reach, the mean over time."""

    def __init__(self, channels: int, features: int, options: Options) -> None:
        super().__init__(options.width, features)
        self.body = nn.Sequential(
            *(
                Block(options.width if k else channels, options.width, options.kernel, 2**k)
                for k in range(options.blocks)
            )
        )

    def embed(self, inputs: Tensor) -> Tensor:
        """Map normalised sequences (B, T, C) to (B, E)."""
        maps: Tensor = self.body(inputs.transpose(1, 2))
        return maps.mean(dim=2)


def build(given: Input, features: int, options: Options) -> TemporalConv:
    """Return the encoder of sequences (T, C)."""
    return TemporalConv(given.shape[1], features, options)
