"""Frames of a video: read, stored, shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.wants import Found, Pick, Pictures, Want
from equipoise.modalities.base import Input, Reader, Reading, Shown, Stored
from equipoise.modalities.frames import PickSettings, Settings
from equipoise.modalities.pictures import pair, png


class FramesReader(Reader[Settings]):
    """Stored (F, H, W, C), given (F, C, H, W)."""

    facts = ("repeated",)

    def stored(self) -> Stored:
        """Return (frames, height, width, channels)."""
        settings = self.settings
        shape = (settings.pick.frames, *pair(settings.size), settings.channels)
        return Stored(shape, "uint8" if settings.bits == 8 else "uint16")

    def input(self) -> Input:
        """Return (F, C, H, W)."""
        frames, height, width, channels = self.stored().shape
        return Input("pictures", (frames, channels, height, width))

    def want(self, source: Path | str) -> Want | None:
        """Ask for the picked frames."""
        height, width = pair(self.settings.size)
        return Pictures(
            pick=_pick(self.settings.pick),
            height=height,
            width=width,
            fit=self.settings.fit,
            channels=self.settings.channels,
            bits=self.settings.bits,
        )

    def take(self, found: Found) -> Reading:
        """Take the frames as they are."""
        return Reading(found.array, {"repeated": _repeated(found, self.settings.pick)})

    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw the frames side by side."""
        return Shown(png=png(np.concatenate(list(stored), axis=1)))


def _pick(pick: PickSettings) -> Pick:
    how = "even" if pick.even else "first" if pick.first else "every"
    return Pick(how, pick.frames, pick.every or 0.0)  # type: ignore[arg-type]


def _repeated(found: Found, pick: PickSettings) -> float:
    """Return the share of the stored frames that stand there for want of others."""
    return max(0.0, 1 - found.frames / pick.frames) if found.frames else 0.0


def propose(sources: Sequence[Path | str]) -> dict[str, Any]:
    """Return settings to start from."""
    if not all(isinstance(source, Path) for source in sources):
        return {}
    return {"pick": {"even": 8}, "size": 112, "fit": "crop"}
