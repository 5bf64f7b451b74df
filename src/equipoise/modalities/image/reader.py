"""Still pictures: read, stored, shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from equipoise.media.wants import Found, Still, Want
from equipoise.modalities.base import Input, Reader, Reading, Shown, Stored
from equipoise.modalities.image import Settings
from equipoise.modalities.pictures import pair, png


class ImageReader(Reader[Settings]):
    """Stored (H, W, C), given (1, C, H, W): a clip of one frame."""

    def stored(self) -> Stored:
        """Return (height, width, channels)."""
        shape = (*pair(self.settings.size), self.settings.channels)
        return Stored(shape, "uint8" if self.settings.bits == 8 else "uint16")

    def input(self) -> Input:
        """Return (1, C, H, W)."""
        height, width, channels = self.stored().shape
        return Input("pictures", (1, channels, height, width))

    def want(self, source: Path | str) -> Want | None:
        """Ask for the picture."""
        settings = self.settings
        return Still(*pair(settings.size), settings.fit, settings.channels, settings.bits)

    def take(self, found: Found) -> Reading:
        """Take the picture as it is."""
        return Reading(found.array)

    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw the picture."""
        return Shown(png=png(stored))


def propose(sources: Sequence[Path | str]) -> dict[str, Any]:
    """Return settings to start from."""
    if not all(isinstance(source, Path) for source in sources):
        return {}
    return {"size": 112, "fit": "crop"}
