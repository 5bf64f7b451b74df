"""A checksum over all of an HDF5 file but the samples, compared before HDF5 reads a byte of it.

HDF5's own checksums cover each chunk of an array, and part of its structure. A flipped bit in the
rest is read as it stands: attributes say something else, names are missing, and a damaged tree can
keep the library busy for ever. So the end of the file, behind what HDF5 looks at, says where the
chunks are and what the checksum of everything else is.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any, BinaryIO

_MAGIC = b"eqpseal1"
_END = struct.Struct("<Q8s")
_STEP = 1 << 20


class BrokenSealError(Exception):
    """The file is not as it was written; says how."""


def seal(path: Path) -> None:
    """Append the seal to a finished file, which HDF5 has closed."""
    import h5py

    spans: list[list[int]] = []
    with h5py.File(path, "r") as file:
        for item in file.values():
            if isinstance(item, h5py.Dataset) and item.chunks is not None:
                item.id.chunk_iter(lambda chunk: _add(spans, chunk))
    spans = _joined(spans)
    with path.open("r+b") as raw:
        size = raw.seek(0, 2)
        told = json.dumps({"size": size, "chunks": spans}).encode()
        told += b" " + _checksum(raw, size, spans, told)
        raw.seek(size)
        raw.write(told + _END.pack(len(told), _MAGIC))


def expect_sealed(path: Path) -> None:
    """Compare everything but the chunks with the seal.

    Raises:
        BrokenSealError: No seal, or the file is not as it was sealed.
        OSError: It cannot be read.
    """
    with path.open("rb") as raw:
        end = raw.seek(0, 2)
        raw.seek(max(0, end - _END.size))
        tail = raw.read(_END.size)
        if len(tail) < _END.size or (size := _END.unpack(tail))[1] != _MAGIC:
            raise BrokenSealError("incomplete, or of an older equipoise: its end has no checksum")
        start = end - _END.size - size[0]
        if start < 0:
            raise BrokenSealError("its end is damaged")
        raw.seek(start)
        told, _, checksum = raw.read(size[0]).rpartition(b" ")
        try:
            said = json.loads(told)
            whole, spans = int(said["size"]), [(int(a), int(b)) for a, b in said["chunks"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BrokenSealError("its end is damaged") from None
        if whole != start or _checksum(raw, start, spans, told) != checksum:
            raise BrokenSealError("its attributes or its structure are not as they were written")


def _add(spans: list[list[int]], chunk: Any) -> None:
    spans.append([int(chunk.byte_offset), int(chunk.byte_offset + chunk.size)])


def _joined(spans: list[list[int]]) -> list[list[int]]:
    joined: list[list[int]] = []
    for start, stop in sorted(spans):
        if joined and joined[-1][1] == start:
            joined[-1][1] = stop
        else:
            joined.append([start, stop])
    return joined


def _checksum(raw: BinaryIO, size: int, spans: Any, told: bytes) -> bytes:
    """Return the sha256 of the file up to ``size`` without ``spans``, and of what the seal says."""
    digest = hashlib.sha256(told)
    at = 0
    for start, stop in [*spans, (size, size)]:
        raw.seek(at)
        left = start - at
        while left > 0 and (block := raw.read(min(left, _STEP))):
            digest.update(block)
            left -= len(block)
        at = stop
    return digest.hexdigest().encode()
