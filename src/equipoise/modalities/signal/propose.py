"""Settings to start from, out of some files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.media.errors import MediaError
from equipoise.modalities.arrays import load

MOST = 8192
"""Numbers at one time; more are no sensors."""


def propose(sources: Sequence[Path | str]) -> dict[str, Any]:
    """Return settings for files of one array each: time is the axis whose length changes.

    Nothing where that is not clear: most files cannot be read (several arrays in one, say), several
    axes change, or there are so many numbers at a time that they are pictures.
    """
    shapes = []
    for source in sources:
        if not isinstance(source, Path):
            return {}
        try:
            shapes.append(load(source).shape)
        except MediaError:
            continue  # refused by its row, by who reads all
    if (
        2 * len(shapes) <= len(sources)
        or len({len(shape) for shape in shapes}) > 1
        or not 1 <= len(shapes[0]) <= 3
    ):
        return {}
    lengths = list(zip(*shapes, strict=True))
    changing = [axis for axis, found in enumerate(lengths) if len(set(found)) > 1]
    channels = 1
    for axis, found in enumerate(lengths):
        channels *= found[0] if axis not in changing else 1
    if channels > MOST:
        return {}
    letters = "".join("t" if axis in changing else "c" for axis in range(len(lengths)))
    if len(changing) == 1:
        middle = sorted(lengths[changing[0]])[len(shapes) // 2]
        return {"channels": channels, "length": middle, "axes": letters}
    return {} if changing else {"channels": channels, "axes": letters}
