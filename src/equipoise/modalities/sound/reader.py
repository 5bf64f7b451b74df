"""Sound: read, stored, shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media import wants
from equipoise.media.errors import MediaError
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
from equipoise.modalities.sound import KIND, Settings
from equipoise.modalities.sound.spectrogram import kaldi, log_density, log_mel, log_spectrogram


class SoundReader(Reader[Settings]):
    """Stored and given (frequency, time), or (samples,)."""

    facts = ("cut", "filled")
    things = "sounds"

    def stored(self) -> Stored:
        """Return (frequencies, times) or (samples,)."""
        return Stored(self.settings.shape(self.settings.samples), "float16")

    def input(self) -> Input:
        """Return the shape that is stored."""
        return Input(KIND.layout(self.settings), self.stored().shape)

    def want(self, source: Path | str) -> wants.Want | None:
        """Ask for the part that is kept."""
        return wants.Sound(self.settings.rate, self.settings.seconds, self.settings.place)

    def take(self, found: wants.Found) -> Reading:
        """Fill up and transform."""
        settings, heard = self.settings, found.array
        if not len(heard):
            raise MediaError("the sound is empty")
        sound = fill(heard, settings.samples, settings.fill)
        length = max(found.seconds, len(heard) / settings.rate)
        facts = {
            "cut": max(0.0, 1 - settings.seconds / length),
            "filled": max(0.0, 1 - len(heard) / len(sound)),
        }
        return Reading(features(sound, settings), facts)

    def show(self, stored: NDArray[Any]) -> Shown:
        """Draw the wave, or the spectrogram with low frequencies below."""
        if stored.ndim == 1:
            return Shown(png=pictures.lines(stored[:, None]))
        return Shown(png=pictures.png(stored[::-1, :, None].astype(np.float32)))

    def trace(self, stored: NDArray[Any], source: Path | str) -> Trace:
        """Compare the decoded sound as it is stored."""
        return numbers_trace(stored, "silent")


def fill(heard: NDArray[np.float32], samples: int, how: str) -> NDArray[np.float32]:
    """Return exactly ``samples`` samples: cut, or filled up with silence or repetitions."""
    if len(heard) >= samples:
        return heard[:samples]
    if how == "tile":
        return np.resize(heard, samples)
    return np.pad(heard, (0, samples - len(heard)))


def features(sound: NDArray[np.float32], settings: Settings) -> NDArray[np.float16]:
    """Return what is stored of a sound (samples,)."""
    if settings.features == "waveform":
        return sound.astype(np.float16)
    rate, window, hop = settings.rate, settings.n_fft, settings.hop
    if settings.features == "log_stft":
        return log_spectrogram(sound, window, hop)
    if settings.features == "log_psd":
        return log_density(sound, rate, window, hop)
    high = settings.f_max or rate / 2
    if settings.features == "log_mel":
        return log_mel(sound, rate, window, hop, (settings.n_mels, settings.f_min or 0.0, high))
    low = 20.0 if settings.f_min is None else settings.f_min
    return kaldi(sound, rate, window, hop, (settings.n_mels, low, high), settings.taper)


def propose(sources: Sequence[Path | str]) -> dict[str, Any]:
    """Return settings to start from: all of the longest of some recordings."""
    from equipoise.media.decode import decode

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
