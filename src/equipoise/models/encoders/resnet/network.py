"""Residual networks on pictures and spectrograms."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import Tensor, nn
from torchvision.models import resnet

from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder, mean_of_frames
from equipoise.models.encoders.resnet import Options

LEAST = {"large": 33, "small": 9}
"""Pixels of the shorter side: below, the last convolution of stride 2 has an output of one."""


class ResNet(Encoder):
    """torchvision's residual network without its last layer; the mean over pixels and frames."""

    published = {"conv1.": "stem.conv1.", "bn1.": "stem.bn1.", "layer": "body.layer", "fc.": ""}
    entry = "stem.conv1.weight"

    def __init__(self, depth: int, channels: int, features: int, options: Options) -> None:
        network = getattr(resnet, f"resnet{depth}")(weights=None)
        super().__init__(network.fc.in_features, features)
        small = options.entry == "small"
        kernel, stride = (3, 1) if small else (7, 2)
        conv = nn.Conv2d(channels, 64, kernel, stride, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        stem = OrderedDict(conv1=conv, bn1=network.bn1, relu=network.relu)
        if not small:
            stem["maxpool"] = network.maxpool
        self.stem = nn.Sequential(stem)
        names = ("layer1", "layer2", "layer3", "layer4")
        self.body = nn.Sequential(OrderedDict((name, getattr(network, name)) for name in names))

    def embed(self, inputs: Tensor) -> Tensor:
        """Map frames (B, F, C, H, W) or spectrograms (B, freq, time) to (B, E)."""
        frames = inputs[:, None, None] if inputs.dim() == 3 else inputs
        maps: Tensor = self.body(self.stem(frames.flatten(0, 1)))
        return mean_of_frames(maps, frames.shape[1])


def build(depth: int, given: Input, features: int, options: Options) -> ResNet:
    """Return the encoder of frames (F, C, H, W) or a spectrogram (freq, time).

    Raises:
        UserError: The pictures are too small.
    """
    least = LEAST[options.entry]
    if min(given.shape[-2:]) < least:
        high, wide = given.shape[-2:]
        raise UserError(
            f"encoder 'resnet{depth}' (entry: {options.entry}) needs {least} or more pixels a "
            f"side, not {high} x {wide}; say entry: small, or store larger pictures"
        )
    channels = given.shape[1] if given.layout == "pictures" else 1
    return ResNet(depth, channels, features, options)


build18, build34, build50 = (partial(build, depth) for depth in (18, 34, 50))
