"""Still pictures: read, stored, shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from equipoise.media.stills import is_deep
from equipoise.media.wants import Found, Still, Want, left_out
from equipoise.modalities import looks, pictures
from equipoise.modalities.arrays import arranged, load
from equipoise.modalities.base import Input, Reader, Reading, Shown, Stored, Trace
from equipoise.modalities.image import Settings
from equipoise.modalities.packing import packing
from equipoise.modalities.suffixes import ARRAYS


class ImageReader(Reader[Settings]):
    """Stored (H, W, C), given (1, C, H, W): a clip of one frame."""

    facts = ("narrowed", "cropped")
    things = "pictures"

    def stored(self) -> Stored:
        """Return (height, width, channels)."""
        shape = (*self.settings.size, self.settings.channels)
        settings = self.settings
        dtype = "uint8" if settings.bits == 8 else "uint16"
        return Stored(shape, dtype, packing(settings.store, settings.quality))

    def input(self) -> Input:
        """Return (1, C, H, W)."""
        height, width, channels = self.stored().shape
        return Input("pictures", (1, channels, height, width))

    def want(self, source: Path | str) -> Want | None:
        """Ask for the picture; an array is read by :meth:`read`."""
        settings = self.settings
        if Path(source).suffix.lower() in ARRAYS:
            return None
        return Still(*settings.size, settings.fit, settings.channels, settings.bits)

    def take(self, found: Found) -> Reading:
        """Take the picture as it is."""
        facts = {"narrowed": found.narrowed, "cropped": found.cropped}
        return Reading(found.array, facts)

    def read(self, source: Path | str) -> Reading:
        """Read a picture from a file of arrays, and scale it."""
        settings = self.settings
        array = arranged(load(Path(source), settings.key), settings.axes, "hwc")
        picture = pictures.checked(array, settings.channels, settings.bits)
        scaled = pictures.scaled(picture, settings.size, settings.fit)
        out = left_out(picture.shape[:2], settings.size, settings.fit)
        return Reading(pictures.whole(scaled, settings.bits), {"narrowed": 0.0, "cropped": out})

    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw the picture."""
        return Shown(png=pictures.png(stored))

    def trace(self, stored: NDArray[Any], source: Path | str) -> Trace:
        """Compare how the picture looks."""
        return looks.trace(stored[None], 2**self.settings.bits - 1)


def propose(sources: Sequence[Path | str]) -> dict[str, Any]:
    """Return settings to start from; none for arrays: nothing tells a picture from a signal.

    Pictures that are all grey of 16 bits keep them. No range is proposed: a few pictures do not
    tell it, and what lies outside would be lost.
    """
    deep = []
    for source in sources:
        if not isinstance(source, Path) or source.suffix.lower() in ARRAYS:
            return {}
        deep.append(is_deep(source))
    found: dict[str, Any] = {"size": 112, "fit": "crop"}
    return found | ({"channels": 1, "bits": 16} if deep and all(deep) else {})
