"""Pictures in fewer bytes: stored as JPEG, read back as the array that an encoder is fed with.

Nobody but the store sees bytes: a packed sample is unpacked where it is read, and a reading is
unpacked again where it is made, so that all others work on what the store gives back.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Store = Literal["raw", "jpeg"]
"""How pictures lie in ``features.h5``."""


@dataclass(frozen=True)
class Packed:
    """Samples as they lie in a file."""

    data: NDArray[np.uint8]
    """All their bytes, one picture after the other: (sum of lengths,)."""
    lengths: NDArray[np.int32]
    """Bytes of each picture of each sample: (samples, pictures)."""

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.lengths.sum(axis=1, dtype=np.int64))

    def sample(self, place: int) -> Packed:
        """Return one of the samples."""
        start = int(self._ends[place - 1]) if place else 0
        return Packed(self.data[start : int(self._ends[place])], self.lengths[place : place + 1])


class DamagedPictureError(ValueError):
    """A picture cannot be read; ``sample`` is its place among the samples."""

    def __init__(self, sample: int, why: str) -> None:
        super().__init__(why)
        self.sample = sample


@dataclass(frozen=True)
class Jpeg:
    """Pictures as JPEG files; colours at half the resolution (4:2:0), as is usual.

    Args:
        quality: 1 to 100, as libjpeg counts.
    """

    quality: int
    name = "jpeg"

    def pack(self, sample: NDArray[np.uint8]) -> Packed:
        """Return one sample (..., H, W, C), C 1 or 3."""
        from PIL import Image  # its version stands in extract.json: the bytes depend on it

        pictures = []
        for picture in sample.reshape(-1, *sample.shape[-3:]):
            file = io.BytesIO()
            values = picture[..., 0] if picture.shape[-1] == 1 else picture
            image = Image.fromarray(np.ascontiguousarray(values))
            image.save(file, "jpeg", quality=self.quality, subsampling="4:2:0")
            pictures.append(file.getvalue())
        data = np.frombuffer(b"".join(pictures), np.uint8)
        return Packed(data, np.array([[len(picture) for picture in pictures]], np.int32))


def unpack(packed: Packed, shape: tuple[int, ...], threads: int = 1) -> NDArray[np.uint8]:
    """Return samples (n, *shape), each of ``shape`` (..., H, W, C).

    Raises:
        DamagedPictureError: A picture is no JPEG file of that size, or ends early.
    """
    samples = np.empty((len(packed.lengths), *shape), np.uint8)
    flat = samples.reshape(-1, *shape[-3:])
    ends = np.cumsum(packed.lengths.ravel(), dtype=np.int64)
    decode = partial(_decode, packed, ends, flat)
    parts = np.array_split(np.arange(len(flat)), threads)
    if threads == 1:
        decode(parts[0])
    else:
        with ThreadPoolExecutor(threads, "features-jpeg") as pool:  # OpenCV lets go of the GIL
            list(pool.map(decode, parts))
    return samples


def _decode(
    packed: Packed, ends: NDArray[np.int64], into: NDArray[np.uint8], places: NDArray[np.int64]
) -> None:
    import cv2

    grey = into.shape[-1] == 1
    for place in places.tolist():
        data = packed.data[ends[place - 1] if place else 0 : ends[place]]
        mode = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
        picture = cv2.imdecode(data, mode) if len(data) else None
        sample = place // packed.lengths.shape[1]
        if picture is None:
            raise DamagedPictureError(sample, "no readable JPEG")
        if picture.shape[:2] != into.shape[1:3]:
            told = f"a JPEG of {picture.shape[0]} x {picture.shape[1]} pixels"
            raise DamagedPictureError(sample, told)
        if grey:
            into[place, ..., 0] = picture
        else:
            cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=into[place])


NAMES = (Jpeg.name,)


def pictures(shape: tuple[int, ...]) -> int:
    """Return how many pictures a sample (..., H, W, C) is."""
    return math.prod(shape[:-3])


def joined(samples: Sequence[Packed], shape: tuple[int, ...]) -> Packed:
    """Return samples of one shape, maybe none, as one."""
    empty = Packed(np.zeros(0, np.uint8), np.zeros((0, pictures(shape)), np.int32))
    data = np.concatenate([one.data for one in (empty, *samples)])
    return Packed(data, np.concatenate([one.lengths for one in (empty, *samples)]))


def packing(store: Store, quality: int) -> Jpeg | None:
    """Return the packing that a setting ``store`` names."""
    return Jpeg(quality) if store == "jpeg" else None


def check_store(store: Store, bits: int) -> None:
    """Raise ValueError where pictures of so many bits cannot be stored so."""
    if store == "jpeg" and bits != 8:
        raise ValueError(f"store: jpeg holds 8 bits, not bits: {bits}; say store: raw")
