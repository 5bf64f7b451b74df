"""Optical flow between frames, by OpenCV, on one thread."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.errors import MediaError

Flows = NDArray[np.float32]


def flows(frames: NDArray[np.uint8], method: str, preset: str) -> Flows:
    """Return the flow from each frame to the next: float32 (F - 1, H, W, 2), right and down.

    Args:
        frames: uint8 grey (F, H, W), 0 to 255: on other scales OpenCV's methods find no motion, or
            invent it.
        method: ``dis`` or ``tvl1``.
        preset: Of ``dis``.
    """
    import cv2

    cv2.setNumThreads(1)
    library: Any = cv2  # its stubs do not know all of it
    if method == "dis":
        number = getattr(library, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}")
        algorithm = library.DISOpticalFlow_create(number)
    else:
        algorithm = library.optflow.DualTVL1OpticalFlow_create()
    whole = [np.ascontiguousarray(frame) for frame in frames]
    found = [algorithm.calc(first, second, None) for first, second in pairwise(whole)]
    return np.stack(found).astype(np.float32)


def coded(values: Flows, bound: float) -> NDArray[np.int8]:
    """Return vectors as int8: 127 for ``bound`` pixels, 0 for none.

    Raises:
        MediaError: A value is not finite.
    """
    if not np.isfinite(values).all():
        raise MediaError("the flow holds NaN or infinity")
    return np.asarray(np.rint((values * (127 / bound)).clip(-127, 127)), np.int8)


def beyond(values: Flows, bound: float) -> float:
    """Return the share of the vectors that have a part beyond ``bound``."""
    return float((np.abs(values) > bound).any(axis=-1).mean())


def wheel(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Draw vectors (H, W, 2) as a picture (H, W, 3): the hue is the direction, white is rest.

    To the right is red, down is yellow-green, to the left cyan, up violet; the longest vector has
    the full colour.
    """
    right, down = np.moveaxis(values.astype(np.float64), -1, 0)
    length = np.hypot(right, down)
    strength = (length / max(float(length.max()), 1e-9))[..., None]
    hue = np.arctan2(down, right) * (3 / np.pi)  # sextants of the circle
    sextant = (hue[..., None] + np.array([0.0, 4.0, 2.0])) % 6
    colour = np.clip(np.abs(sextant - 3) - 1, 0, 1)
    return np.asarray(np.rint(255 * (1 - strength * (1 - colour))), np.uint8)
