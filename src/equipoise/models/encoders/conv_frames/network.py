"""A small 2-D convolutional network on every frame, averaged over time. Trains on a CPU."""

import torch
from torch import Tensor, nn

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder
from equipoise.section import Section


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def layers(channels: int) -> list[nn.Module]:
    """Return what maps frames (B, C, H, W) to maps (B, 32, halved(H), halved(W))."""
    return [
        *_block(channels, 12, kernel=5, stride=2),
        *_block(12, 24, kernel=3, stride=2),
        *_block(24, 32, kernel=3, stride=1),
        nn.MaxPool2d(2),
    ]


class ConvFrames(Encoder):
    """Three convolutions for each frame, the mean over frames, then one linear layer.

    The mean is over time alone: a coarse map (an eighth of the frame in each direction) goes into
    the linear layer, so that where a stroke lies still matters.
    """

    def __init__(self, channels: int, height: int, width: int, features: int) -> None:
        super().__init__(32 * halved(height) * halved(width), features)
        self.body = nn.Sequential(*layers(channels))

    def embed(self, inputs: Tensor) -> Tensor:
        """Map normalised frames (B, F, C, H, W) to (B, E)."""
        batch, count = inputs.shape[:2]
        # Channels last is the faster layout, on CPU and GPU.
        flat = inputs.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        maps: Tensor = self.body(flat).unflatten(0, (batch, count)).mean(dim=1)
        return maps.flatten(1)


def halved(length: int) -> int:
    """Return the length after two convolutions of stride 2 (rounded up) and a pooling (down)."""
    return (length + 3) // 4 // 2


def build(given: Input, features: int, options: Section) -> Encoder:
    """Return the encoder of frames (F, C, H, W)."""
    _, channels, height, width = given.shape
    return ConvFrames(channels, height, width, features)
