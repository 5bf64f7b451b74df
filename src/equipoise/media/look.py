"""What is looked at before anything opens a file: its kind, its first bytes, its claimed size."""

import errno
import os
import re
import stat
import struct
from pathlib import Path
from typing import BinaryIO

from equipoise.media.errors import MediaError

_HEAD = 4096
#: Sizes that writers put where they do not know the length (a pipe, a recorder that was killed).
_UNKNOWN_SIZES = (0, 1 << 31, 1 << 32)


def head(path: Path) -> bytes:
    """Return the first 4,096 bytes of a regular file; nothing else is ever opened.

    Raises:
        MediaError: No regular file, unreadable, empty, a Git LFS pointer or a web page.
    """
    try:
        str(path).encode()
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):
            raise MediaError(f"{_kind(kind)}, not a file")
        with path.open("rb") as file:
            first = file.read(_HEAD)
    except UnicodeEncodeError:  # no manifest can name it
        raise MediaError("its name is not UTF-8; rename it") from None
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}") from None
    if not first:
        raise MediaError("empty file")
    if first.startswith(b"version https://git-lfs"):
        raise MediaError("Git LFS pointer, not the file itself; run git lfs pull at the source")
    if re.match(rb"\s*<(!doctype|html|\?xml)", first, re.IGNORECASE):
        raise MediaError("web page, not media; download it again")
    if first.startswith(b"RIFX"):
        raise MediaError("big-endian WAV (RIFX): not read here; convert it to WAV or FLAC")
    return first


def _kind(mode: int) -> str:
    names = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
    }
    return names.get(stat.S_IFMT(mode), "a device")


def claimed_size(path: Path, first: bytes) -> int | None:
    """Return the size in bytes that a file must have by its own header.

    Args:
        path: The file.
        first: What :func:`head` returned.

    Returns:
        None where the header does not say: other formats, written into a pipe, or a recorder that
        never came to fill it in.

    Raises:
        MediaError: A part of it claims a size that no file has, or it cannot be read.
    """
    try:
        return _claimed_size(path, first)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise MediaError(f"cannot be read: {error.strerror}") from None
    except OverflowError:
        pass
    # A step behind where any file can end.
    raise MediaError("damaged: a part of it claims to be larger than any file")


def _claimed_size(path: Path, first: bytes) -> int | None:
    if first[:4] in (b"RIFF", b"RF64") and first[8:12] == b"WAVE":
        return _wave(path)
    if first[:4] == b"caff":
        return _caf(path)
    if first[:4] == b"RIFF":
        return _known(8 + int.from_bytes(first[4:8], "little"), 8)
    if first[:4] == b"FORM":
        return _known(8 + int.from_bytes(first[4:8], "big"), 8)
    if first[:3] == b"FLV":
        return _flash(first)
    if first[:4] == b"\x1aE\xdf\xa3":
        return _matroska(path)
    if first[:3] == b"ID3" or first[:1] == b"\xff":
        return _mp3(path, first)
    return None


def lengthless(path: Path) -> str:
    """Say of a file that could not be opened that its header tells no length; empty if it does.

    AIFF and Sony Wave64 that were written into a pipe: no library reads them.
    """
    with path.open("rb") as file:
        first = file.read(24)
    aiff = first[:4] == b"FORM" and not any(first[4:8]) and first[8:11] == b"AIF"
    wave = first[:4] == b"riff" and first[16:24] in (b"\xff" * 8, bytes(8))
    return "its header tells no length (written into a pipe?); write it as WAV" * (aiff or wave)


def _known(size: int, header: int) -> int | None:
    near = any(abs(size - header - unknown) < 65536 for unknown in _UNKNOWN_SIZES[1:])
    return None if near or size <= header else size


def _wave(path: Path) -> int | None:
    """Return where the samples end; what stands behind them is of no interest."""
    with path.open("rb") as file:
        large: int | None = None
        file.seek(12)
        while len(chunk := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", chunk)
            start = file.tell()
            if name == b"ds64":  # RF64: sizes of more than 4 GiB
                body = file.read(16)
                if len(body) < 16:
                    return None
                large = int(struct.unpack("<8xQ", body)[0])
            if name == b"data":
                if large and size == 0xFFFFFFFF:
                    return start + large
                return _known(start + size, start)
            file.seek(start + size + size % 2)
    return None


def _caf(path: Path) -> int | None:
    """Return where the samples of a Core Audio file end; -1 is an unknown length."""
    with path.open("rb") as file:
        file.seek(8)
        while len(chunk := file.read(12)) == 12:
            name, size = struct.unpack(">4sq", chunk)
            if name == b"data":
                return file.tell() + size if size > 0 else None
            if size < 0:
                return None
            file.seek(size, os.SEEK_CUR)
    return None


def _flash(first: bytes) -> int | None:
    """Return the number ``filesize`` among the remarks at the start of an FLV file."""
    found = re.search(rb"\x00\x08filesize\x00(.{8})", first, re.DOTALL)
    return int(struct.unpack(">d", found[1])[0]) or None if found else None


def _mp3(path: Path, first: bytes) -> int | None:
    """Return the number of bytes that LAME and others note in the first frame."""
    start = 0
    if first[:3] == b"ID3":  # remarks and covers; their size has 7 bits in a byte
        start = 10 + sum((byte & 127) << (7 * (3 - at)) for at, byte in enumerate(first[6:10]))
    with path.open("rb") as file:
        file.seek(start)
        frame = file.read(200)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if frame[:1] != b"\xff" or at < 0 or not frame[at + 7] & 2:
        return None
    field = at + 8 + 4 * (frame[at + 7] & 1)
    return start + int.from_bytes(frame[field : field + 4], "big") or None


def _matroska(path: Path) -> int | None:
    """Return the end of the last Cluster, the elements that hold the media.

    An index or remarks behind it may be cut off: nothing that is shown is lost with them.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        _element(file)
        file.seek(_number(file) or 0, os.SEEK_CUR)  # behind the header: the Segment,
        _element(file)  # which holds everything else
        _number(file)
        end = None
        while file.tell() < size:
            name, length = _element(file), _number(file)
            if length is None:
                return None  # written into a pipe
            file.seek(length, os.SEEK_CUR)
            if name == b"\x1fC\xb6u":
                end = file.tell()
        return end


def _element(file: BinaryIO) -> bytes:
    """Read the name of an EBML element: the zeros that lead its first byte tell its length."""
    first = file.read(1)
    return first + file.read(8 - first[0].bit_length()) if first else b""


def _number(file: BinaryIO) -> int | None:
    """Read a number of EBML, written like a name; None where all bits say that it is unknown."""
    data = _element(file)
    bits = 7 * len(data)
    value = int.from_bytes(data, "big") & ((1 << bits) - 1)
    return value if data and value != (1 << bits) - 1 else None


def check_ogg(path: Path, first: bytes) -> None:
    """Refuse an Ogg file whose last page is cut or is not marked as the last.

    Raises:
        MediaError: It is truncated.
    """
    if first[:4] != b"OggS":
        return
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 17)))  # longer than any page
        tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]  # 27 bytes, the lengths of its parts, the parts
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    if not lengths or not page[5] & 4 or len(page) < 27 + len(lengths) + sum(lengths):
        raise MediaError("truncated: the last page is missing or cut")
