"""Small archives for tests: zip by Python, 7z by libarchive, rar by hand.

Members are name to bytes, or to bytes and a Unix mode.
"""

import stat
import struct
import zipfile
import zlib

import pytest


def need_libarchive():
    """Skip where rar and 7z cannot be read."""
    pytest.importorskip("rarfile")
    try:
        import libarchive  # noqa: F401
    except (ImportError, AttributeError, OSError, TypeError):
        pytest.skip("libarchive-c or the system's libarchive is not there")


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, given in members.items():
            data, mode = given if isinstance(given, tuple) else (given, stat.S_IFREG | 0o644)
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return path


def sevened(path, members):
    """By libarchive itself, which cannot write links there."""
    import libarchive

    with libarchive.file_writer(str(path), "7zip", options="compression=lzma2") as archive:
        for name, given in members.items():
            if not isinstance(given, tuple):
                archive.add_file_from_memory(name, len(given), given)
    return path


def rared(path, members):
    """RAR 4, unpacked (method 0x30), by hand: no free program writes it.

    A block is its CRC, type, flags, length and fields; of a file also sizes, CRC of the data,
    version 2.0, method, name and attributes (Unix, with the mode).
    """

    def block(kind, flags, fields=b""):
        rest = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
        return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest

    whole = b"Rar!\x1a\x07\x00" + block(0x73, 0, bytes(6))
    for name, given in members.items():
        data, mode = given if isinstance(given, tuple) else (given, stat.S_IFREG | 0o644)
        crc = zlib.crc32(data)
        sizes = struct.pack("<II", len(data), len(data))
        known = struct.pack("<BIIBBHI", 3, crc, 0x52210000, 20, 0x30, len(name.encode()), mode)
        whole += block(0x74, 0x8000, sizes + known + name.encode()) + data
    path.write_bytes(whole + block(0x7B, 0x4000))
    return path


def rared5(path, members):
    """RAR 5, unpacked: a block is its CRC, length, type, flags and fields, 7 bits in a byte."""

    def number(value):
        return bytes([value & 127 | 128, *number(value >> 7)]) if value > 127 else bytes([value])

    def block(*fields):
        rest = b"".join(f if isinstance(f, bytes) else number(f) for f in fields)
        rest = number(len(rest)) + rest
        return struct.pack("<I", zlib.crc32(rest)) + rest

    whole = b"Rar!\x1a\x07\x01\x00" + block(1, 0, 0)
    for name, given in members.items():
        data, mode = given if isinstance(given, tuple) else (given, stat.S_IFREG | 0o644)
        crc, size = struct.pack("<I", zlib.crc32(data)), len(data)
        whole += block(2, 2, size, 4, size, mode, crc, 0, 1, len(name.encode()), name.encode())
        whole += data
    path.write_bytes(whole + block(5, 0, 0))
    return path
