"""All modalities of one sample, each file read once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from equipoise import files
from equipoise.errors import UserError
from equipoise.media.damage import Tolerance
from equipoise.media.decode import decode as decode_media
from equipoise.media.errors import MediaError, MissingStreamError
from equipoise.modalities.base import Reader, Reading, finite
from equipoise.modalities.packing import unpack

Readers = Mapping[str, Reader[Any]]
Sources = Mapping[str, Path | str]
"""Modality to its file, or to the sample itself."""


#: Samples of more numbers are a mistake in a size, a rate or a length.
_LARGEST = 1 << 30


def too_large(readers: Readers) -> Iterator[str]:
    """Yield a line for each modality whose settings make samples that no memory holds."""
    for name, reader in readers.items():
        try:
            shape = reader.stored().shape
        except (OverflowError, ValueError) as error:
            yield f"modality {name!r}: its settings make no sample ({error})"
            continue
        size = math.prod(map(int, shape))
        if size > _LARGEST:
            words = f"{size / 2**30:.3g}" if size < 1 << 80 else "far too many"
            yield (
                f"modality {name!r}: one sample is {words} billion numbers; lower its size, rate "
                "or length"
            )


def read_sample(
    readers: Readers, sources: Sources, tolerance: Tolerance | None = None
) -> dict[str, Reading]:
    """Read one sample: each media file is decoded once for all modalities that want it.

    Args:
        readers: Modality to its reader.
        sources: Modality to where its sample is; the same modalities.
        tolerance: How much of a media file may be missing; None: what :class:`Tolerance` says.

    Returns:
        Modality to reading, of the shapes that :meth:`Reader.stored` says.

    Raises:
        MediaError: Something cannot be read as a whole; the reason, led by the modality where the
            sample has several sources.
        MissingStreamError: The same of a file that is media, but does not hold the modality.
    """
    readings: dict[str, Reading] = {}
    for source in dict.fromkeys(sources.values()):
        names = [name for name, other in sources.items() if other == source]
        try:
            readings |= _source(source, {name: readers[name] for name in names}, tolerance)
        except MediaError as error:
            if len(set(sources.values())) > 1:
                error.args = (f"{names[0]}: {error}",)
            raise
    return {name: readings[name] for name in sources}


@dataclass(frozen=True)
class Checked:
    """One sample and the checksums that its files must have."""

    sources: Sources
    checksums: dict[str, str]
    """Path to sha256."""


class ReadChecked:
    """Reads samples whose files are still those of stage download; runs in another process."""

    def __init__(self, readers: Readers, tolerance: Tolerance | None = None) -> None:
        self._readers, self._tolerance = readers, tolerance

    def __call__(self, sample: Checked) -> dict[str, Reading]:
        """Return modality to reading; of what is packed, the bytes alone.

        Raises:
            MediaError: See :func:`read_sample`.
            UserError: A file changed.
        """
        for path, checksum in sample.checksums.items():
            if files.sha256(Path(path)) != checksum:
                raise UserError(f"{path}: changed since stage download; run it again")
        readings = read_sample(self._readers, sample.sources, self._tolerance)
        return {name: _light(reading) for name, reading in readings.items()}


def _light(reading: Reading) -> Reading:
    """Leave out the array of a packed sample: the store wants its bytes, and they are fewer."""
    return replace(reading, array=reading.array[:0]) if reading.packed else reading


def read_present(readers: Readers, sources: Sources) -> dict[str, Reading]:
    """Read one sample as :func:`read_sample` does, without what its files do not hold.

    Returns:
        Modality to reading, for one modality or more.

    Raises:
        MediaError: A file cannot be read as a whole, or holds nothing of what is wanted.
    """
    left = dict(sources)
    while True:
        try:
            return read_sample(readers, left)
        except MissingStreamError as error:
            del left[error.modality]
            if not left:
                raise MediaError(f"no {' and no '.join(sources)} stream") from None


def _source(
    source: Path | str, readers: Readers, tolerance: Tolerance | None
) -> dict[str, Reading]:
    """Read what some modalities make of one source."""
    wants = {name: reader.want(source) for name, reader in readers.items()}
    media = {name: want for name, want in wants.items() if want is not None}
    found = decode_media(Path(source), media, tolerance) if media else {}
    readings = {}
    for name, reader in readers.items():
        if name in found:
            reading = replace(reader.take(found[name]), tracks=found[name].tracks)
        else:
            reading = reader.read(source)
        readings[name] = _checked(name, reader, reading)
    return readings


def _checked(name: str, reader: Reader[Any], reading: Reading) -> Reading:
    """Refuse what the store, or training, would stumble over; return what the store gives back."""
    stored = reader.stored()
    array = reading.array
    if array.shape != stored.shape:
        raise MediaError(
            f"{name} has shape {array.shape} where its settings say {stored.shape}; change them"
        )
    if not finite(array):
        raise MediaError(f"{name} holds NaN or infinity")
    if array.dtype != stored.dtype:
        raise AssertionError(f"{name}: {array.dtype} in place of {stored.dtype}")
    if stored.packing is None:
        return reading
    packed = stored.packing.pack(array)
    return replace(reading, array=unpack(packed, stored.shape)[0], packed=packed)
