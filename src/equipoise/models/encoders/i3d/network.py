"""Inflated Inception-v1."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from equipoise.modalities.base import Input
from equipoise.models import same_padding
from equipoise.models.encoder import Encoder
from equipoise.models.encoders.i3d import Options

Size = tuple[int, int, int]

#: Channels of the six convolutions of each module: 1x1x1; 1x1x1 before and 3x3x3; the same, small;
#: 1x1x1 after the pooling (Szegedy et al., CVPR 2015, table 1).
MIXED = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
#: What comes before a module: kernel and stride of a pooling.
POOLED: dict[str, tuple[Size, Size]] = {
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        nn.init.kaiming_normal_(self.conv3d.weight, nonlinearity="relu")
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T', H', W')."""
        conv = self.conv3d
        padded = same_padding.pad(inputs, conv.kernel_size, conv.stride)
        output: Tensor = functional.relu(self.bn(conv(padded)))
        return output


class Pool(nn.Module):
    """Maximum over a window, of what is not negative: padding with zeros changes nothing.

    In two steps, for the gradient of a pooling in three dimensions is not deterministic on a GPU.
    """

    def __init__(self, kernel: Size, stride: Size) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C, T', H', W')."""
        (time, *space), (step, *steps) = self.kernel, self.stride
        padded = same_padding.pad(inputs, self.kernel, self.stride)
        maps = functional.max_pool2d(padded.flatten(1, 2), space, steps)
        maps = maps.reshape(*padded.shape[:3], *maps.shape[2:])
        if time == 1:
            return maps
        flat = functional.max_pool2d(maps.flatten(3), (time, 1), (step, 1))
        return flat.reshape(*flat.shape[:3], *maps.shape[3:])


class Mixed(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs: int, channels: list[int]) -> None:
        super().__init__()
        self.b0 = Unit(inputs, channels[0])
        self.b1a, self.b1b = Unit(inputs, channels[1]), Unit(channels[1], channels[2], 3)
        self.b2a, self.b2b = Unit(inputs, channels[3]), Unit(channels[3], channels[4], 3)
        self.b3a, self.b3b = Pool((3, 3, 3), (1, 1, 1)), Unit(inputs, channels[5])
        self.width = channels[0] + channels[2] + channels[4] + channels[5]

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T, H, W)."""
        branches = (
            self.b0(inputs),
            self.b1b(self.b1a(inputs)),
            self.b2b(self.b2a(inputs)),
            self.b3b(self.b3a(inputs)),
        )
        return torch.cat(branches, dim=1)


class I3D(Encoder):
    """The mean over time and space of the last module."""

    published = {
        "Conv3d_1a": "stem.Conv3d_1a",
        "Conv3d_2": "body.Conv3d_2",
        "Mixed_": "body.Mixed_",
        "logits.": "",
    }
    entry = "stem.Conv3d_1a_7x7.conv3d.weight"

    def __init__(self, channels: int, features: int, options: Options) -> None:
        def scaled(count: int) -> int:
            return max(1, round(count * options.width))

        first, second = scaled(64), scaled(192)
        body: OrderedDict[str, nn.Module] = OrderedDict()
        body["Conv3d_2b_1x1"] = Unit(first, first)
        body["Conv3d_2c_3x3"] = Unit(first, second, 3)
        width = second
        for name, counts in MIXED.items():
            if name in POOLED:
                body[f"before_{name}"] = Pool(*POOLED[name])
            body[name] = mixed = Mixed(width, [scaled(count) for count in counts])
            width = mixed.width
        super().__init__(width, features)
        stem: OrderedDict[str, nn.Module] = OrderedDict()
        stem["Conv3d_1a_7x7"] = Unit(channels, first, 7, 2)
        stem["pool"] = Pool((1, 3, 3), (1, 2, 2))
        self.stem, self.body = nn.Sequential(stem), nn.Sequential(body)

    def embed(self, inputs: Tensor) -> Tensor:
        """Map frames (B, F, C, H, W) to (B, E)."""
        maps: Tensor = self.body(self.stem(inputs.transpose(1, 2)))
        return maps.mean(dim=(2, 3, 4))


def build(given: Input, features: int, options: Options) -> I3D:
    """Return the encoder of frames (F, C, H, W)."""
    return I3D(given.shape[1], features, options)
