"""A small convolutional network on every frame, then over time. Trains on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder
from equipoise.models.encoders.conv_clip import Options
from equipoise.models.encoders.conv_frames.network import halved, layers
from equipoise.models.layers import means


class Body(nn.Module):
    """What maps frames (B, F, C, H, W) to a sequence (B, W, F).

    Batch normalisation stands behind the linear layer: most of a frame is the same in all clips of
    one camera, and would move all units alike until a ReLU lets nothing through.
    """

    def __init__(self, given: Input, options: Options) -> None:
        super().__init__()
        _, channels, height, width = given.shape
        self.frame = nn.Sequential(
            *layers(channels),
            nn.Flatten(),
            nn.Linear(32 * halved(height) * halved(width), options.width, bias=False),
            nn.BatchNorm1d(options.width),
            nn.ReLU(inplace=True),
        )
        self.time = nn.Sequential(
            nn.Conv1d(options.width, options.width, options.kernel, padding="same", bias=False),
            nn.BatchNorm1d(options.width),
            nn.ReLU(inplace=True),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map normalised frames."""
        flat = inputs.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        frames: Tensor = self.frame(flat).unflatten(0, inputs.shape[:2])
        maps: Tensor = self.time(frames.transpose(1, 2))
        return maps


class ConvClip(Encoder):
    """Frames, their order, the mean of each of a few parts of the clip, one linear layer."""

    def __init__(self, given: Input, features: int, options: Options) -> None:
        super().__init__(options.width * options.moments, features)
        self.body = Body(given, options)
        self._moments = options.moments

    def embed(self, inputs: Tensor) -> Tensor:
        """Map normalised frames (B, F, C, H, W) to (B, E)."""
        maps: Tensor = self.body(inputs)
        return (maps @ means(maps.shape[2], self._moments, maps).T).flatten(1)


def build(given: Input, features: int, options: Options) -> ConvClip:
    """Return the encoder of frames (F, C, H, W)."""
    return ConvClip(given, features, options)
