"""Signals: read, stored, shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.errors import MediaError
from equipoise.modalities import pictures
from equipoise.modalities.arrays import arranged, load
from equipoise.modalities.base import Input, Reader, Reading, Shown, Stored
from equipoise.modalities.signal import KIND, Settings
from equipoise.modalities.signal.fitting import centred, cut, filled, stretched

Floats = NDArray[np.float64]


class SignalReader(Reader[Settings]):
    """Stored and given (T, C), or (C,)."""

    facts = ("cut", "filled", "missing")

    def stored(self) -> Stored:
        """Return (length, channels) or (channels,)."""
        settings = self.settings
        shape = (settings.channels,)
        return Stored((settings.length, *shape) if settings.length else shape, "float32")

    def input(self) -> Input:
        """Return the shape that is stored."""
        return Input(KIND.layout(self.settings), self.stored().shape)

    def read(self, source: Path | str) -> Reading:
        """Read a file, or the numbers in a cell; fill, stretch or cut, centre."""
        settings = self.settings
        if settings.inline:
            array = numbers(str(source))
        else:
            array = load(Path(source), settings.key, settings.columns)
        values = arranged(array, settings.order, "tc").astype(np.float64)
        if values.shape[1] != settings.channels:
            raise MediaError(f"{values.shape[1]} channels, but channels: {settings.channels}")
        if not len(values):
            raise MediaError("the signal is empty")
        if np.isinf(values).any():
            raise MediaError("the signal holds infinity")
        facts = {"cut": 0.0, "filled": 0.0, "missing": float(np.isnan(values).mean())}
        values = self._fitted(filled(values, settings.missing), facts)
        if settings.coordinates:
            values = centred(values, settings.coordinates)
        if np.abs(values).max() > np.finfo(np.float32).max:
            raise MediaError("a value does not fit into float32")
        return Reading(values.astype(np.float32), facts)

    def _fitted(self, values: Floats, facts: dict[str, float]) -> Floats:
        settings, steps = self.settings, len(values)
        if settings.length is None:
            return np.asarray(values[0])
        if settings.fit == "stretch":
            return stretched(values, settings.length, settings.resample)
        facts["cut"] = max(0.0, 1 - settings.length / steps)
        facts["filled"] = max(0.0, 1 - steps / settings.length)
        return cut(values, settings.length, settings.place)

    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw a line for each channel; of a vector, one line."""
        return Shown(png=pictures.lines(stored if stored.ndim == 2 else stored[:, None]))


def numbers(cell: str) -> Floats:
    """Return the numbers in a cell.

    Raises:
        MediaError: It holds something else.
    """
    words = [word for word in re.split(r"[\s,;]+", cell.strip("[]() \t\n")) if word]
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        word = str(error).rpartition(":")[2].strip()
        raise MediaError(f"{word} is no number; if it is a path, say inline: false") from None
