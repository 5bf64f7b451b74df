"""Packed samples in a feature store: the one place where stored bytes become arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.modalities.packing import NAMES, Packed, unpack


def lengths_of(modality: str) -> str:
    """Return the name of the array that says how long each picture of a packed modality is."""
    return f"{modality}.lengths"


def opened(file: Any, name: str) -> Any:
    """Return what gives samples ``[start:stop]`` of a modality of an HDF5 file.

    Raises:
        KeyError, ValueError: A part is missing, or does not fit.
        OSError: It is damaged.
    """
    array = file[name]
    return PackedArray(array, file[lengths_of(name)][:]) if "packing" in array.attrs else array


class PackedArray:
    """Samples that lie packed, one after the other, in an array of bytes.

    Attributes:
        shape: That of the array of all samples, as if they were not packed.
    """

    def __init__(self, data: Any, lengths: NDArray[np.int32]) -> None:
        packing = data.attrs["packing"]
        if packing not in NAMES:
            raise ValueError(f"packed as {packing!r}, which this program does not know")
        self.shape = (len(lengths), *map(int, data.attrs["shape"]))
        self._data, self._lengths = data, lengths
        self._ends = np.cumsum(lengths.sum(axis=1, dtype=np.int64))
        if (self._ends[-1] if len(self._ends) else 0) != len(data):
            raise ValueError("other bytes than its lengths say")

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        """Return consecutive samples (n, ...).

        Raises:
            OSError: A checksum does not fit.
            DamagedPictureError: A picture cannot be read.
        """
        start, stop, _ = rows.indices(len(self))
        return unpack(self.packed(start, stop), self.shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes of all samples in the file."""
        return len(self._data)

    def packed(self, start: int, stop: int) -> Packed:
        """Return consecutive samples as they are.

        Raises:
            OSError: A checksum does not fit.
        """
        first = int(self._ends[start - 1]) if start else 0
        last = int(self._ends[stop - 1]) if stop else 0
        return Packed(self._data[first:last], self._lengths[start:stop])
