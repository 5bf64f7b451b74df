"""Log-magnitude, log-density, log-mel and Kaldi spectrograms, in float64, rounded to float16.

In float32, the error where silence lies beside a loud tone would reach 3 (natural logarithm): what
is small there is lost beside what is large.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOOR = 1e-7
"""Added to magnitudes and densities before the logarithm: silence becomes log(1e-7) = -16.1."""
POWER_FLOOR = 1e-10
"""Added to powers of mel filters: silence becomes -23.0."""
KALDI_FLOOR = float(np.finfo(np.float32).eps)
"""Least energy of a filter of Kaldi: silence becomes -15.9."""
_BLOCK = 32
"""Windows that are transformed at once: they stay in the cache."""


def log_spectrogram(sound: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float16]:
    """Return the log-magnitude spectrogram log(|X| + 1e-7), natural logarithm.

    X[f, t] = sum_n w[n] x[t hop + n - n_fft/2] exp(-2 pi i f n / n_fft) with the periodic Hann
    window w[n] = sin^2(pi n / n_fft) and x reflected at both ends: torch.stft with its defaults
    (center=True), torchaudio.transforms.Spectrogram with power=1.

    Args:
        sound: float32 (samples,), samples > n_fft / 2.
        n_fft: Window length in samples.
        hop: Step between windows in samples.

    Returns:
        float16 (n_fft // 2 + 1, samples // hop + 1); n_fft is even.
    """
    windows = _centred(sound, n_fft, hop)
    out = np.empty((n_fft // 2 + 1, len(windows)), np.float16)
    for span, power in _powers(windows, _hann(n_fft), n_fft):
        np.sqrt(power, out=power)
        power += FLOOR
        out[:, span] = np.log(power, out=power).T
    return out


def log_density(sound: NDArray[np.float32], rate: int, n_fft: int, hop: int) -> NDArray[np.float16]:
    """Return log(P + 1e-7), P the power density in 1 / Hz of windows that lie within the sound.

    P = 2 |X|^2 / (rate sum_n w[n]^2), without the factor 2 at the first and the last frequency;
    each window loses its mean, w is a periodic Tukey window of which a quarter is tapered. That is
    scipy.signal.spectrogram with its defaults and ``noverlap = n_fft - hop``; VGGSound (Chen et
    al., ICASSP 2020, released code) takes it with 512 and 353, which is a step of 159.

    Args:
        sound: float32 (samples,), samples >= n_fft.
        rate: Hz.
        n_fft: Window length in samples.
        hop: Step between windows in samples.

    Returns:
        float16 (n_fft // 2 + 1, 1 + (samples - n_fft) // hop).
    """
    edge = np.arange(n_fft) / (n_fft / 8)  # 1 where the taper of the beginning ends
    rise = np.minimum(np.minimum(edge, edge[::-1] + 8 / n_fft), 1)
    taper = np.sin(np.pi / 2 * rise) ** 2
    windows = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), n_fft)[::hop]
    windows = windows - windows.mean(axis=1, keepdims=True)
    out = np.empty((n_fft // 2 + 1, len(windows)), np.float16)
    for span, power in _powers(windows, taper, n_fft):
        power /= rate * np.square(taper).sum()
        power[:, 1 : (n_fft + 1) // 2] *= 2  # all but 0 Hz and half the rate
        out[:, span] = np.log(power + FLOOR).T
    return out


def log_mel(
    sound: NDArray[np.float32], rate: int, n_fft: int, hop: int, bands: tuple[int, float, float]
) -> NDArray[np.float16]:
    """Return log(M |X|^2 + 1e-10), X as in :func:`log_spectrogram`, M triangular mel filters.

    M |X|^2 is torchaudio.transforms.MelSpectrogram with its defaults (power 2, HTK's mel scale,
    filters of height 1).

    Args:
        sound: float32 (samples,), samples > n_fft / 2.
        rate: Hz.
        n_fft: Window length in samples.
        hop: Step between windows in samples.
        bands: Number of filters, lowest and highest frequency in Hz.

    Returns:
        float16 (filters, samples // hop + 1).
    """
    filters = _triangles(rate, n_fft, bands, kaldi=False)
    windows = _centred(sound, n_fft, hop)
    out = np.empty((bands[0], len(windows)), np.float16)
    for span, power in _powers(windows, _hann(n_fft), n_fft):
        out[:, span] = np.log(power @ filters + POWER_FLOOR).T
    return out


def kaldi(
    sound: NDArray[np.float32],
    rate: int,
    window: int,
    hop: int,
    bands: tuple[int, float, float],
    taper: str,
) -> NDArray[np.float16]:
    """Return Kaldi's log filter bank: torchaudio.compliance.kaldi.fbank, ``dither=0``.

    Each window loses its mean, is sharpened (x[n] - 0.97 x[n-1]), tapered, filled up with zeros to
    a power of two; then log(max(M |X|^2, 1.2e-7)). Samples are not scaled to 16 bits.

    Args:
        sound: float32 (samples,), samples >= window.
        rate: Hz.
        window: Window length in samples.
        hop: Step between windows in samples.
        bands: Number of filters, lowest and highest frequency in Hz.
        taper: ``povey`` (a symmetric Hann window to the power 0.85) or ``hanning``.

    Returns:
        float16 (filters, 1 + (samples - window) // hop).
    """
    length = 1 << (window - 1).bit_length()
    filters = _triangles(rate, length, bands, kaldi=True)
    shape = np.sin(np.pi * np.arange(window) / (window - 1)) ** 2
    shape = shape**0.85 if taper == "povey" else shape
    windows = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), window)[::hop]
    windows = windows - windows.mean(axis=1, keepdims=True)
    before = np.concatenate([windows[:, :1], windows[:, :-1]], axis=1)
    out = np.empty((bands[0], len(windows)), np.float16)
    for span, power in _powers(windows - 0.97 * before, shape, length):
        out[:, span] = np.log(np.maximum(power @ filters, KALDI_FLOOR)).T
    return out


def _hann(n_fft: int) -> NDArray[np.float64]:
    return np.asarray(np.sin(np.pi * np.arange(n_fft) / n_fft) ** 2)


def _centred(sound: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float64]:
    """Return the windows (times, n_fft) around samples 0, hop, ..."""
    padded = np.pad(sound.astype(np.float64), n_fft // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]


def _powers(
    windows: NDArray[np.float64], taper: NDArray[np.float64], n_fft: int
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield |X|^2 (times, n_fft // 2 + 1) of some windows at a time, and which they are."""
    for start in range(0, len(windows), _BLOCK):
        span = slice(start, min(start + _BLOCK, len(windows)))
        spectrum = np.fft.rfft(windows[span] * taper, n_fft, axis=1)
        yield span, spectrum.real**2 + spectrum.imag**2


@cache
def _triangles(
    rate: int, n_fft: int, bands: tuple[int, float, float], kaldi: bool
) -> NDArray[np.float64]:
    """Return triangular filters (n_fft // 2 + 1, bands), equally wide on the mel scale.

    Their sides are straight in Hz, or in mel (Kaldi, which leaves out the last frequency, too).
    """
    count, low, high = bands
    frequency = np.arange(n_fft // 2 + 1) * (rate / n_fft)
    corner = np.linspace(_mel(low), _mel(high), count + 2)
    if kaldi:
        frequency = _mel(frequency)
    else:
        corner = 700 * np.expm1(corner / 1127)
    width = np.diff(corner)
    up = (frequency[:, None] - corner[:-2]) / width[:-1]
    down = (corner[2:] - frequency[:, None]) / width[1:]
    filters = np.maximum(np.minimum(up, down), 0)
    if kaldi:
        filters[-1] = 0
    return np.asarray(filters)


def _mel(frequency: NDArray[Any] | float) -> NDArray[np.float64]:
    """Return mels: 1127 ln(1 + f / 700), which is 2595 log10(1 + f / 700)."""
    return np.asarray(1127 * np.log1p(np.asarray(frequency) / 700))
