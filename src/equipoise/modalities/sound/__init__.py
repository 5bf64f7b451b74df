"""Kind ``sound``: what is heard, as a spectrogram."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equipoise.registry import KindInfo
from equipoise.section import Fraction, Positive, Section


class Settings(Section):
    """How a clip's sound is stored: (frequency, time), float16."""

    rate: Annotated[int, Field(ge=1000)]
    """Sampling rate in Hz, after mixing to mono and resampling."""
    seconds: Annotated[float, Field(gt=0)]
    """Length in seconds; longer sound is cut, shorter is filled up."""
    place: Literal["start", "centre"] = "start"
    """Which part of a longer sound is kept."""
    fill: Literal["pad", "tile"] = "pad"
    """What follows a shorter sound: silence, or itself again."""
    n_fft: Annotated[int, Field(ge=16)] = 512
    """Window length of the Fourier transform, in samples; frequencies = n_fft / 2 + 1."""
    hop: Positive = 160
    """Step between windows, in samples."""

    @property
    def samples(self) -> int:
        """Samples of one clip."""
        return round(self.rate * self.seconds)

    @model_validator(mode="after")
    def _long_enough(self) -> Settings:
        if self.samples <= self.n_fft // 2:
            raise ValueError(
                f"{self.seconds:g} s at {self.rate} Hz are {self.samples} samples, too few for "
                f"n_fft {self.n_fft}; lower n_fft or raise seconds"
            )
        return self


class Augment(Section):
    """What is random in training."""

    mask_time: Fraction = 0.0
    """Longest masked part of the time axis (SpecAugment without warping; 0: off)."""
    share: str = ""
    """Modalities with the same word here get the same random numbers."""


KIND = KindInfo(
    summary="the sound of a recording, as a log-magnitude spectrogram",
    settings=Settings,
    augment=Augment,
    reader="equipoise.modalities.sound.reader:SoundReader",
    feed="equipoise.modalities.sound.feed:SoundFeed",
    layout=lambda settings: "spectrogram",
    words=("audio", "speech"),
    propose="equipoise.modalities.sound.reader:propose",
    encoder="conv_spectrogram",
    suffixes=(
        *(".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"),
        *(".wma", ".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
        *(".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
    ),
)
