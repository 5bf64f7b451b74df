"""TensorFlow's padding SAME, which weights that were trained there need.

An axis of n becomes ceil(n / stride); of the padding that takes, the smaller half goes in front.
PyTorch's own padding is the same in front and behind, and shifts every strided layer.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def pad(inputs: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Pad the last axes of a tensor with zeros, one for each entry of ``kernel``."""
    amounts: list[int] = []
    sizes = inputs.shape[-len(kernel) :]
    for size, length, step in zip(reversed(sizes), reversed(kernel), reversed(stride), strict=True):
        total = max((-(size // -step) - 1) * step + length - size, 0)
        amounts += [total // 2, total - total // 2]
    return functional.pad(inputs, amounts) if any(amounts) else inputs
