"""Stored pictures drawn for a person."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.errors import MediaError


def scaled(picture: NDArray[Any], size: tuple[int, int], fit: str) -> NDArray[np.float32]:
    """Scale a picture (H, W, C) of any number type to ``size``: bilinear, antialiased, in float32.

    Args:
        picture: The picture.
        size: Height and width of the result.
        fit: ``stretch``: all of it; ``crop``: the largest part in its middle that has the shape of
            ``size``.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    wide, tall = float(width), float(height)
    if fit == "crop":
        scale = min(height / size[0], width / size[1])
        wide, tall = size[1] * scale, size[0] * scale
    left, top = (width - wide) / 2, (height - tall) / 2
    channels = [
        Image.fromarray(np.ascontiguousarray(channel, dtype=np.float32)).resize(
            size[::-1], Image.Resampling.BILINEAR, box=(left, top, left + wide, top + tall)
        )
        for channel in np.moveaxis(picture, -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def whole(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Return what was scaled as uint8 or uint16, rounded."""
    return np.asarray(np.rint(values).clip(0, 2**bits - 1), np.uint8 if bits == 8 else np.uint16)


def checked(array: NDArray[Any], channels: int, bits: int) -> NDArray[Any]:
    """Return an array of pictures (..., C) that can be stored with so many channels and bits.

    Raises:
        MediaError: It cannot.
    """
    if array.shape[-1] != channels:
        raise MediaError(f"pictures of {array.shape[-1]} channels, but channels: {channels}")
    if 0 in array.shape:
        raise MediaError(f"an array of shape {array.shape} holds no picture")
    low, high = array.min(), array.max()
    if array.dtype.kind not in "iu" or low < 0 or high >= 2**bits:
        raise MediaError(
            f"values of type {array.dtype} from {low:g} to {high:g}; bits: {bits} are whole "
            f"numbers from 0 to {2**bits - 1}"
        )
    return array


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


COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")


def lines(values: NDArray[Any], size: tuple[int, int] = (120, 320)) -> bytes:
    """Return a PNG with one line for each channel of values (T, C); the lowest is at the bottom."""
    from PIL import Image, ImageDraw

    height, width = size
    y = values.astype(np.float64)
    low, high = float(y.min()), float(y.max())
    y = (height - 3) - (y - low) * ((height - 5) / max(high - low, 1e-9))
    x = np.linspace(2, width - 3, len(y))
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for channel in range(y.shape[1]):
        points = list(zip(x.tolist(), y[:, channel].tolist(), strict=True))
        draw.line(points, fill=COLOURS[channel % len(COLOURS)])
    return png(np.asarray(picture))
