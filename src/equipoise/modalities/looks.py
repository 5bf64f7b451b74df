"""How pictures look: a perceptual hash, and whether there is anything to see.

dHash (N. Krawetz, "Kind of Like That", hackerfactor.com, 2013) compares each pixel of a small grey
copy with its neighbour on the right. Here it does so only where they differ by more than what
compression makes of a plain area, and says which of the two is brighter.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.modalities.base import Trace

#: Height and width of the small copy: 32 differences in a row.
_ROWS, _COLUMNS = 32, 33
#: Differences of neighbours below this share of the range are noise.
_MARGIN = 0.02
#: A picture whose channels differ by no more is one colour.
_PLAIN = 0.01
#: A picture below this share of the range is black.
_BLACK = 0.07
#: With fewer bits set for each picture there is too little to see to call two the same.
_FEW = 64


def trace(stored: NDArray[Any], most: int) -> Trace:
    """Return the trace of pictures.

    Args:
        stored: (F, H, W, C).
        most: The largest possible value.
    """
    if empty := _empty(stored, most):
        return Trace("", empty=empty)
    same = hashlib.blake2b(stored.tobytes(), digest_size=16).hexdigest()
    chosen = sorted({0, len(stored) // 2, len(stored) - 1})
    bits = np.concatenate([_hash(stored[number], most) for number in chosen])
    still = len(stored) > 1 and bool((stored == stored[:1]).all())
    seen = int(bits.sum()) >= _FEW * len(chosen)
    return Trace(same, np.packbits(bits) if seen else None, "still" if still else "")


def _empty(stored: NDArray[Any], most: int) -> str:
    """Say whether all is black (video counts 16 of 255 as black), or every channel one value."""
    # By rows first: a reduction over the last but one axis alone takes ten times as long.
    rows = stored.reshape(-1, stored.shape[-2] * stored.shape[-1])
    low, high = (
        one.reshape(stored.shape[-2:]) / most for one in (rows.min(axis=0), rows.max(axis=0))
    )
    low, high = low.min(axis=0), high.max(axis=0)
    if high.max() <= _BLACK and most == 255:
        return "black"
    return "constant" if (high - low).max() <= _PLAIN else ""


def _hash(picture: NDArray[Any], most: int) -> NDArray[np.bool_]:
    """Return the 2,048 bits of a picture (H, W, C) from 0 to ``most``."""
    from PIL import Image

    channels = [channel.astype(np.float32) for channel in np.moveaxis(picture, -1, 0)]
    grey = Image.fromarray(sum(channels) / np.float32(len(channels) * most))
    small = np.asarray(grey.resize((_COLUMNS, _ROWS), Image.Resampling.BOX))
    steps = np.diff(small, axis=1)
    return np.concatenate([(steps > _MARGIN).ravel(), (steps < -_MARGIN).ravel()])
