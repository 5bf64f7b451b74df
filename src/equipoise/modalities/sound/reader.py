"""Sound: read, stored, shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media import wants
from equipoise.modalities.base import Input, Reader, Reading, Shown, Stored
from equipoise.modalities.pictures import png
from equipoise.modalities.sound import Settings
from equipoise.modalities.sound.spectrogram import log_spectrogram


class SoundReader(Reader[Settings]):
    """Stored and given (frequency, time)."""

    facts = ("cut", "filled")

    def stored(self) -> Stored:
        """Return (frequencies, times)."""
        settings = self.settings
        times = settings.samples // settings.hop + 1
        return Stored((settings.n_fft // 2 + 1, times), "float16")

    def input(self) -> Input:
        """Return (frequency, time)."""
        return Input("spectrogram", self.stored().shape)

    def want(self, source: Path | str) -> wants.Want | None:
        """Ask for the part that is kept."""
        return wants.Sound(self.settings.rate, self.settings.seconds, self.settings.place)

    def take(self, found: wants.Found) -> Reading:
        """Fill up and transform."""
        settings, heard = self.settings, found.array
        sound = fill(heard, settings.samples, settings.fill)
        length = max(found.seconds, len(heard) / settings.rate)
        facts = {
            "cut": max(0.0, 1 - settings.seconds / length),
            "filled": max(0.0, 1 - len(heard) / len(sound)),
        }
        return Reading(log_spectrogram(sound, settings.n_fft, settings.hop), facts)

    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw the spectrogram, low frequencies below."""
        return Shown(png=png(stored[::-1, :, None].astype(np.float32)))


def fill(heard: NDArray[np.float32], samples: int, how: str) -> NDArray[np.float32]:
    """Return exactly ``samples`` samples: cut, or filled up with silence or repetitions."""
    if len(heard) >= samples:
        return heard[:samples]
    if how == "tile" and len(heard):
        return np.resize(heard, samples)
    return np.pad(heard, (0, samples - len(heard)))


def propose(sources: Sequence[Path | str]) -> dict[str, Any]:
    """Return settings to start from: all of the longest of some recordings."""
    from equipoise.media.decode import decode
    from equipoise.media.ffmpeg import MediaError

    lengths = []
    for source in sources:
        if not isinstance(source, Path):
            return {}
        try:
            found = decode(source, {"sound": wants.Sound(16000, 0.01)})
        except MediaError:
            continue
        lengths.append(found["sound"].seconds)
    if not lengths:
        return {}
    return {"rate": 16000, "seconds": math.ceil(10 * max(lengths)) / 10, "n_fft": 400, "hop": 160}
