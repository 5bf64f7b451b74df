"""Log-magnitude spectrograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Added before the logarithm: silence becomes log(1e-7) = -16.1.
FLOOR = 1e-7


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
        float16 (n_fft // 2 + 1, samples // hop + 1).
    """
    padded = np.pad(sound.astype(np.float64), n_fft // 2, mode="reflect")
    window = np.sin(np.pi * np.arange(n_fft) / n_fft) ** 2
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    magnitude = np.abs(np.fft.rfft(windows * window, axis=1)).T
    return np.ascontiguousarray(np.log(magnitude + FLOOR).astype(np.float16))
