"""Layers that encoders share."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Conv2d(nn.Conv2d):
    """``nn.Conv2d`` for maps that may get one column wide: the same numbers, right in bf16.

    On CPUs with AMX, oneDNN's kernel for bf16 is wrong where the output has one column and the
    horizontal stride is above 1 (docs/precision.md). There, zeros are appended that make two
    columns, and the second is dropped.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, C, height, width) as ``nn.Conv2d`` does."""
        low = input.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if not low or self.stride[1] == 1 or self._columns(input) > 1:
            return super().forward(input)
        wider = functional.pad(input, (0, self.stride[1]))
        return super().forward(wider)[..., :1]

    def _columns(self, maps: Tensor) -> int:
        padding = self.padding[1]
        if not isinstance(padding, int):  # "same", which allows no stride
            return maps.shape[3]
        span = self.dilation[1] * (self.kernel_size[1] - 1) + 1
        return (maps.shape[3] + 2 * padding - span) // self.stride[1] + 1


def means(size: int, cells: int, like: Tensor) -> Tensor:
    """Return (cells, size): row k averages the k-th of ``cells`` equal, maybe overlapping parts."""
    matrix = like.new_zeros(cells, size)
    for cell in range(cells):
        start, stop = cell * size // cells, -((cell + 1) * size // -cells)
        matrix[cell, start:stop] = 1 / (stop - start)
    return matrix
