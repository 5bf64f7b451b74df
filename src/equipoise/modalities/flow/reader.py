"""Optical flow: read, stored, shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.wants import Found, Pictures, Want
from equipoise.modalities import pictures
from equipoise.modalities.base import (
    Input,
    Reader,
    Reading,
    Shown,
    Stored,
    Trace,
    numbers_trace,
)
from equipoise.modalities.flow import Settings, stored
from equipoise.modalities.flow.compute import beyond, coded, flows, wheel
from equipoise.modalities.picks import media_pick, repeated, unseen
from equipoise.modalities.suffixes import VIDEOS


class FlowReader(Reader[Settings]):
    """Stored (F, H, W, 2), given (F, 2, H, W)."""

    facts = ("repeated", "beyond", "cropped", "unseen")
    things = "flows"

    def stored(self) -> Stored:
        """Return (flows, height, width, 2)."""
        return Stored((self.settings.pick.frames, *self.settings.size, 2), "int8")

    def input(self) -> Input:
        """Return (F, 2, H, W)."""
        return Input("pictures", (self.settings.pick.frames, 2, *self.settings.size))

    def identity(self) -> dict[str, str]:
        """Return the version of what computes flow."""
        import cv2

        return {"opencv": str(cv2.__version__)}

    def want(self, source: Path | str) -> Want | None:
        """Ask for grey frames of a video, one more than flows; the rest is read by :meth:`read`."""
        if Path(source).suffix.lower() not in VIDEOS:
            return None
        settings = self.settings
        height, width = settings.size
        pick = media_pick(settings.pick, more=1)
        return Pictures(pick, height, width, fit=settings.fit, channels=1)

    def take(self, found: Found) -> Reading:
        """Compute the flow between the frames."""
        values = flows(found.array[..., 0], self.settings.method, self.settings.preset)
        return self._reading(values, max(found.frames - 1, 0), found.seconds, found.cropped)

    def read(self, source: Path | str) -> Reading:
        """Read flow from pictures or an array, and scale it."""
        values, there, out = stored.read(Path(source), self.settings)
        rate = self.settings.rate
        return self._reading(values, there, there / rate if rate else None, out)

    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw the flows side by side, directions as colours."""
        return Shown(png=pictures.png(wheel(np.concatenate(list(stored), axis=1))))

    def trace(self, stored: NDArray[Any], source: Path | str) -> Trace:
        """Compare the numbers; where they are all 0, nothing moves."""
        return numbers_trace(stored, "still")

    def _reading(
        self, values: NDArray[np.float32], there: int, seconds: float | None, out: float
    ) -> Reading:
        facts = {
            "repeated": repeated(there, self.settings.pick),
            "beyond": beyond(values, self.settings.bound),
            "cropped": out,
            "unseen": unseen(self.settings.pick, there, seconds),
        }
        return Reading(coded(values, self.settings.bound), facts)
