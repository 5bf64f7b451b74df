"""Sound to log-magnitude spectrograms."""

import numpy as np
from numpy.typing import NDArray


class SoundSink:
    """Takes raw float32 samples; keeps the first ``samples`` of them and counts the rest."""

    def __init__(self, samples: int) -> None:
        self._limit = samples * 4
        self._kept = bytearray()
        self._bytes = 0

    def __call__(self, data: bytes) -> None:
        """Receive the next bytes, cut anywhere."""
        self._bytes += len(data)
        if len(self._kept) < self._limit:
            self._kept += data[: self._limit - len(self._kept)]

    @property
    def seen(self) -> int:
        """Samples received so far."""
        return self._bytes // 4

    def sound(self) -> NDArray[np.float32]:
        """Return float32 (samples,)."""
        return np.frombuffer(bytes(self._kept[: len(self._kept) // 4 * 4]), "<f4")
