"""Kind ``sound``: what is heard, as a spectrogram or as a wave."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from equipoise.modalities.sizes import time_left_out
from equipoise.modalities.suffixes import SOUNDS
from equipoise.registry import KindInfo
from equipoise.section import Fraction, Positive, Section


class Settings(Section):
    """How a clip's sound is stored: (frequency, time) or (samples,), float16."""

    rate: Annotated[int, Field(ge=1000, lt=2**31)]
    """Sampling rate in Hz, after mixing to mono and resampling."""
    seconds: Annotated[float, Field(gt=0, lt=2**31)]
    """Length in seconds; longer sound is cut, shorter is filled up."""
    place: Literal["start", "centre"] = "start"
    """Which part of a longer sound is kept. For a random part in training store more seconds, and
    say ``augment.<modality>.window``."""
    fill: Literal["pad", "tile"] = "pad"
    """What follows a shorter sound: silence, or itself again."""
    features: Literal["log_stft", "log_psd", "log_mel", "fbank", "waveform"] = "log_stft"
    """``log_stft``: log-magnitudes; ``log_psd``: logarithms of power densities
    (scipy.signal.spectrogram); ``log_mel``: log-powers of mel filters (torchaudio's
    MelSpectrogram); ``fbank``: Kaldi's filter bank (torchaudio.compliance.kaldi); ``waveform``."""
    n_fft: Annotated[int, Field(ge=16)] = 512
    """Window length of the Fourier transform, in samples; frequencies = n_fft / 2 + 1. (``fbank``
    adds zeros up to a power of two.)"""
    hop: Positive = 160
    """Step between windows, in samples."""
    n_mels: Positive = 128
    """Filters of ``log_mel`` and ``fbank``."""
    f_min: Annotated[float, Field(ge=0)] | None = None
    """Lowest frequency of the filters in Hz; null: 0 for ``log_mel``, 20 for ``fbank``."""
    f_max: Annotated[float, Field(gt=0)] | None = None
    """Highest frequency of the filters in Hz; null: rate / 2."""
    taper: Literal["povey", "hanning"] = "povey"
    """Window of ``fbank``: Kaldi's own, or a symmetric Hann window (AST)."""

    @property
    def samples(self) -> int:
        """Samples of one clip."""
        return round(self.rate * self.seconds)

    def shape(self, samples: int) -> tuple[int, ...]:
        """Return the shape of the features of so many samples."""
        if self.features == "waveform":
            return (samples,)
        rows = self.n_mels if self.features in ("log_mel", "fbank") else self.n_fft // 2 + 1
        if self.features in ("fbank", "log_psd"):  # windows within the sound
            return rows, 1 + (samples - self.n_fft) // self.hop
        return rows, 1 + (samples - self.n_fft % 2) // self.hop

    def needed(self) -> int:
        """Return how many samples make the first window."""
        within = {"waveform": 1, "fbank": self.n_fft, "log_psd": self.n_fft}
        return within.get(self.features, self.n_fft // 2 + 1)

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        if self.samples < self.needed():
            raise ValueError(
                f"{self.seconds:g} s at {self.rate} Hz are {self.samples} samples, too few for "
                f"n_fft {self.n_fft}; lower n_fft or raise seconds"
            )
        if not (self.f_min or 0) < (self.f_max or self.rate / 2) <= self.rate / 2:
            raise ValueError(f"f_min and f_max: 0 <= f_min < f_max <= rate / 2 = {self.rate / 2:g}")
        return self


class Augment(Section):
    """What is random in training, and what evaluation does instead."""

    window: Annotated[float, Field(gt=0)] | None = None
    """Seconds that the encoder gets of those stored: at a random place in training, the middle in
    evaluation; null: all."""
    shift: Fraction = 0.0
    """Moved in time by up to this part of the length, both ways; what leaves comes in again at the
    other end. Origin: AST (Gong et al., Interspeech 2021, released code) rolls by 10 steps."""
    gain: Annotated[float, Field(ge=0)] = 0.0
    """Louder or softer by up to so many decibels."""
    mask_time: Fraction = 0.0
    """Longest masked part of the time axis (0: off). Origin: SpecAugment without warping (Park et
    al., Interspeech 2019, section 2)."""
    mask_frequency: Fraction = 0.0
    """The same of the frequency axis."""
    masks: Positive = 1
    """Masks on each of these axes."""
    share: str = ""
    """Modalities with the same word here get the same random numbers."""


def _check(settings: Settings, augment: Augment) -> None:
    if augment.window is not None:
        samples = round(settings.rate * augment.window)
        if not settings.needed() <= samples <= settings.samples:
            raise ValueError(
                f"augment.window: {augment.window:g} s; stored are {settings.seconds:g} s, and one "
                f"window of the Fourier transform is {settings.needed() / settings.rate:g} s"
            )
    if augment.mask_frequency and settings.features == "waveform":
        raise ValueError("augment.mask_frequency: a waveform has no frequency axis")


KIND = KindInfo(
    summary="the sound of a recording: spectrogram, mel or Kaldi filter bank, or waveform",
    settings=Settings,
    augment=Augment,
    reader="equipoise.modalities.sound.reader:SoundReader",
    feed="equipoise.modalities.sound.feed:SoundFeed",
    layout=lambda s: "waveform" if s.features == "waveform" else "spectrogram",
    words=("audio", "speech"),
    propose="equipoise.modalities.sound.reader:propose",
    encoder=lambda settings: "conv_spectrogram",
    suffixes=SOUNDS,
    check=_check,
    left_out=lambda settings, augment: time_left_out(augment.window, settings.seconds),
)
