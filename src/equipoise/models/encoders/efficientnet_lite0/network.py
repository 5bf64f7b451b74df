"""EfficientNet-Lite0."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.models import same_padding
from equipoise.models.encoder import Encoder, mean_of_frames
from equipoise.section import Section

LEAST = 33
"""Pixels of the shorter side: below, the last convolution of stride 2 has an output of one."""
#: Repetitions, kernel, stride, expansion, channels (Tan and Le, table 1).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's padding SAME, without bias."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H', W')."""
        padded = same_padding.pad(inputs, self.kernel_size, self.stride)
        output: Tensor = self._conv_forward(padded, self.weight, None)
        return output


def _norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Sequential):
    """Widen, convolve each channel for itself, narrow; beside a residual connection if it fits."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        wide = inputs * expand
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if expand != 1:
            layers |= {"_expand_conv": Conv(inputs, wide), "_bn0": _norm(wide), "a": nn.ReLU6()}
        layers |= {
            "_depthwise_conv": Conv(wide, wide, kernel, stride, groups=wide),
            "_bn1": _norm(wide),
            "b": nn.ReLU6(),
            "_project_conv": Conv(wide, outputs),
            "_bn2": _norm(outputs),
        }
        super().__init__(layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H', W')."""
        outputs = inputs
        for layer in self:
            outputs = layer(outputs)
        return outputs + inputs if self.residual else outputs


class EfficientNetLite0(Encoder):
    """The mean over pixels and frames of the last map."""

    published = {
        "_conv_stem.": "stem.conv.",
        "_bn0.": "stem.norm.",
        "_blocks.": "body.blocks.",
        "_conv_head.": "body.conv.",
        "_bn1.": "body.norm.",
        "_fc.": "",
    }
    entry = "stem.conv.weight"

    def __init__(self, channels: int, features: int) -> None:
        super().__init__(1280, features)
        self.stem = _named(conv=Conv(channels, 32, 3, 2), norm=_norm(32), relu=nn.ReLU6())
        blocks: list[nn.Module] = []
        before = 32
        for repetitions, kernel, stride, expand, outputs in STAGES:
            for k in range(repetitions):
                blocks.append(Block(before, outputs, kernel, 1 if k else stride, expand))
                before = outputs
        head = {"conv": Conv(before, self.width), "norm": _norm(self.width), "relu": nn.ReLU6()}
        self.body = _named(blocks=nn.Sequential(*blocks), **head)

    def embed(self, inputs: Tensor) -> Tensor:
        """Map frames (B, F, C, H, W) to (B, E)."""
        maps: Tensor = self.body(self.stem(inputs.flatten(0, 1)))
        return mean_of_frames(maps, inputs.shape[1])


def _named(**modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(modules))


def build(given: Input, features: int, options: Section) -> EfficientNetLite0:
    """Return the encoder of frames (F, C, H, W).

    Raises:
        UserError: The pictures are too small.
    """
    _, channels, high, wide = given.shape
    if min(high, wide) < LEAST:
        raise UserError(
            f"encoder 'efficientnet_lite0' needs {LEAST} or more pixels a side, not {high} x "
            f"{wide}; store larger pictures (it was trained on 224 x 224)"
        )
    return EfficientNetLite0(channels, features)
