"""Frames of a video: read, stored, shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.wants import Found, Pictures, Want, left_out
from equipoise.modalities import looks, pictures
from equipoise.modalities.arrays import arranged, load
from equipoise.modalities.base import Input, Reader, Reading, Shown, Stored, Trace
from equipoise.modalities.frames import Settings
from equipoise.modalities.packing import packing
from equipoise.modalities.picks import array_pick, media_pick, repeated, unseen
from equipoise.modalities.suffixes import ARRAYS


class FramesReader(Reader[Settings]):
    """Stored (F, H, W, C), given (F, C, H, W)."""

    facts = ("repeated", "narrowed", "cropped", "unseen")
    things = "videos"

    def stored(self) -> Stored:
        """Return (frames, height, width, channels)."""
        settings = self.settings
        shape = (settings.pick.frames, *settings.size, settings.channels)
        dtype = "uint8" if settings.bits == 8 else "uint16"
        return Stored(shape, dtype, packing(settings.store, settings.quality))

    def input(self) -> Input:
        """Return (F, C, H, W)."""
        frames, height, width, channels = self.stored().shape
        return Input("pictures", (frames, channels, height, width))

    def want(self, source: Path | str) -> Want | None:
        """Ask for the picked frames; arrays are read by :meth:`read`."""
        if Path(source).suffix.lower() in ARRAYS:
            return None
        height, width = self.settings.size
        return Pictures(
            pick=media_pick(self.settings.pick),
            height=height,
            width=width,
            fit=self.settings.fit,
            channels=self.settings.channels,
            bits=self.settings.bits,
        )

    def take(self, found: Found) -> Reading:
        """Take the frames as they are."""
        again = repeated(found.frames, self.settings.pick)
        behind = unseen(self.settings.pick, found.frames, found.seconds)
        facts = {"repeated": again, "narrowed": found.narrowed}
        return Reading(found.array, facts | {"cropped": found.cropped, "unseen": behind})

    def read(self, source: Path | str) -> Reading:
        """Read frames from a file of arrays; those that are picked are scaled."""
        settings = self.settings
        array = arranged(load(Path(source), settings.key), settings.axes, "thwc")
        frames = pictures.checked(array, settings.channels, settings.bits)
        chosen = array_pick(settings.pick, len(frames), settings.rate)
        scaled = [pictures.scaled(frames[i], settings.size, settings.fit) for i in chosen]
        values = pictures.whole(np.stack(scaled), settings.bits)
        seconds = len(frames) / settings.rate if settings.rate else None
        facts = {
            "repeated": repeated(len(frames), settings.pick),
            "narrowed": 0.0,
            "cropped": left_out(frames.shape[1:3], settings.size, settings.fit),
            "unseen": unseen(settings.pick, len(frames), seconds),
        }
        return Reading(values, facts)

    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw the frames side by side."""
        return Shown(png=pictures.png(np.concatenate(list(stored), axis=1)))

    def trace(self, stored: NDArray[Any], source: Path | str) -> Trace:
        """Compare how the first, the middle and the last frame look."""
        return looks.trace(stored, 2**self.settings.bits - 1)


def propose(sources: Sequence[Path | str]) -> dict[str, Any]:
    """Return settings to start from; none for arrays: nothing tells a picture from a signal."""
    for source in sources:
        if not isinstance(source, Path) or source.suffix.lower() in ARRAYS:
            return {}
    return {"pick": {"even": 8}, "size": 112, "fit": "crop"}
