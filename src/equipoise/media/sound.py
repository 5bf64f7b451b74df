"""Decoded sound to one mono array on the clock of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.media.errors import MediaError
from equipoise.media.wants import Sound

if TYPE_CHECKING:
    from av import AudioFrame

#: Timestamps may be off by so much (seconds) before a gap is a gap: swresample's own bound.
GAP = 0.1
#: Kept around the wanted part (seconds), for the filter and for a length that was guessed wrong.
_MARGIN = 0.25
#: Samples that are resampled at a time: the same bytes as in one piece, in the processor's cache.
_CHUNK = 16384
#: PyAV counts the planes of a frame wrongly from so many on, and reads what is behind them.
_PLANES = 8
#: Full scale and silence of samples that are whole numbers.
_INTEGERS = {"u1": (128.0, 128.0), "i2": (32768.0, 0.0), "i4": (2147483648.0, 0.0)}


@dataclass
class _Run:
    """Samples without a gap, of one rate and one number of channels."""

    start: float
    """When it begins, in seconds from the start of the file."""
    rate: int
    format: tuple[str, int]
    samples: int = 0
    first: int = 0
    """Samples that were let go before the first kept one."""
    kept: list[NDArray[Any]] = field(default_factory=list)

    @property
    def end(self) -> float:
        return self.start + self.samples / self.rate


class SoundKeeper:
    """Takes decoded frames; keeps what is wanted of them, and a margin.

    Args:
        want: What is wanted.
        seconds: How long the sound is expected to be, from the start of the file.
    """

    def __init__(self, want: Sound, seconds: float) -> None:
        self.want = want
        self._runs: list[_Run] = []
        begin, end = self._place(seconds) if want.place == "centre" else (0, self._count)
        self._low, self._high = begin / want.rate - _MARGIN, end / want.rate + _MARGIN

    @property
    def _count(self) -> int:
        return round(self.want.seconds * self.want.rate)

    def _place(self, seconds: float) -> tuple[int, int]:
        """Return first and last output sample that are wanted of a sound so long."""
        samples = max(0, round(seconds * self.want.rate))  # clocks of damaged files run backwards
        count = min(samples, self._count)
        start = (samples - count) // 2 if self.want.place == "centre" else 0
        return start, start + count

    def take(self, frame: AudioFrame, time: float | None) -> None:
        """Receive the next frame.

        Args:
            frame: As decoded.
            time: Of its first sample, from the start of the file; None: where the last one ended.
        """
        run = self._run(frame, time)
        before = run.end
        run.samples += frame.samples
        if run.end <= self._low:
            run.first = run.samples
        elif before < self._high:
            run.kept.append(_samples(frame))

    def _run(self, frame: AudioFrame, time: float | None) -> _Run:
        """Return the run that a frame belongs to."""
        last = self._runs[-1] if self._runs else None
        kind = (frame.format.name, frame.layout.nb_channels)
        if last and (time is None or time - last.end <= GAP):
            if (last.rate, last.format) == (frame.sample_rate, kind):
                return last
            time = last.end
        self._runs.append(_Run(time or 0.0, frame.sample_rate, kind))
        return self._runs[-1]

    @property
    def end(self) -> float:
        """When the sound ends, in seconds from the start of the file."""
        return self._runs[-1].end if self._runs else 0.0

    def cut(self, end: float) -> None:
        """Let go what a player does not play of the last frame."""
        last = self._runs[-1]
        last.samples = max(0, round((end - last.start) * last.rate))

    @property
    def complete(self) -> bool:
        """Whether everything that is wanted was kept, now that the length is known."""
        start, stop = self._place(self.end)
        return start / self.want.rate >= self._low and stop / self.want.rate <= self._high

    def sound(self) -> NDArray[np.float32]:
        """Return float32 (samples,): silence where there was none.

        Raises:
            MediaError: It holds NaN or infinity, or its clock runs backwards.
        """
        if self.end < 0:
            raise MediaError(f"damaged: the sound ends {-self.end:.2f} s before the file begins")
        start, stop = self._place(self.end)
        whole = np.zeros(stop - start, np.float32)
        for run in self._runs:
            if not run.kept:
                continue
            mono = _mono(np.concatenate(run.kept, axis=-1), run.format)
            time = run.start + run.first / run.rate
            _check(mono, time, run.rate)
            samples = resample(mono, run.rate, self.want.rate)
            at = round(time * self.want.rate) - start
            part = samples[max(0, -at) : max(0, len(whole) - at)]
            whole[max(0, at) : max(0, at) + len(part)] = part
        return whole


def _samples(frame: AudioFrame) -> NDArray[Any]:
    """Return the samples of a frame as they are stored, planar (channels, n) or packed (1, n)."""
    if frame.format.name == "fltp" and frame.layout.nb_channels == 1:  # nearly every clip
        plane: Any = frame.planes[0]
        return np.frombuffer(plane, np.float32, frame.samples)[None].copy()
    if frame.format.is_planar and frame.layout.nb_channels >= _PLANES:
        return _as(frame, "flt")
    try:
        return frame.to_ndarray()
    except ValueError:  # 64-bit whole numbers
        return _as(frame, "flt")


def _as(frame: AudioFrame, name: str) -> NDArray[Any]:
    from av import AudioResampler

    (plain,) = AudioResampler(format=name).resample(frame)
    return plain.to_ndarray()


def _mono(samples: NDArray[Any], kind: tuple[str, int]) -> NDArray[np.float32]:
    """Return the mean of the channels: equal channels are as loud as one of them."""
    channels = kind[1]
    full, silence = _INTEGERS.get(samples.dtype.str[1:], (1.0, 0.0))
    if samples.shape[0] != channels:
        samples = samples.reshape(-1, channels).T
    mono: NDArray[np.float32]
    mono = samples[0].astype(np.float32) if channels == 1 else samples.mean(0, dtype=np.float32)
    if full != 1.0:
        mono -= np.float32(silence)
        mono /= np.float32(full)
    return mono


def _check(mono: NDArray[np.float32], time: float, rate: int) -> None:
    if np.isfinite(mono.sum(dtype=np.float64)):
        return
    wrong = int(np.flatnonzero(~np.isfinite(mono))[0])
    name = "NaN" if np.isnan(mono[wrong]) else "infinity"
    raise MediaError(f"the sound holds {name} (at {time + wrong / rate:.4f} s)")


def resample(mono: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """Change the sampling rate as swresample does by default (a windowed sinc of 32 taps)."""
    if rate == wanted:
        return mono
    from av import AudioFrame, AudioResampler

    resampler = AudioResampler(format="fltp", layout="mono", rate=wanted)
    parts: list[AudioFrame] = []
    for start in range(0, len(mono), _CHUNK):
        chunk = mono[None, start : start + _CHUNK]
        frame = AudioFrame.from_ndarray(chunk, format="fltp", layout="mono")
        frame.sample_rate = rate
        parts += resampler.resample(frame)
    parts += resampler.resample(None)
    return np.concatenate([part.to_ndarray()[0] for part in parts]) if parts else mono[:0]
