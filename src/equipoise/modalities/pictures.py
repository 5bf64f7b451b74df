"""Stored pictures drawn for a person."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return height and width."""
    return (size, size) if isinstance(size, int) else size


def png(picture: NDArray[Any]) -> bytes:
    """Return a picture (H, W, C), of any number type and range, as PNG."""
    from PIL import Image

    values = picture[..., 0] if picture.shape[-1] == 1 else picture[..., :3]
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        values = ((values.astype(np.float64) - low) * (255 / max(high - low, 1e-9))).astype("u1")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values)).save(buffer, "png")
    return buffer.getvalue()
