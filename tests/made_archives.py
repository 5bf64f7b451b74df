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


def rared(path, members, method=0x30):
    """RAR 4, unpacked (method 0x30) or compressed (0x33), by hand: no free program writes it.

    A block is its CRC, type, flags, length and fields; of a file also sizes, CRC of the data,
    version 2.9, method, name and attributes (Unix, with the mode).
    """

    def block(kind, flags, fields=b""):
        rest = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
        return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest

    whole = b"Rar!\x1a\x07\x00" + block(0x73, 0, bytes(6))
    for name, given in members.items():
        data, mode = given if isinstance(given, tuple) else (given, stat.S_IFREG | 0o644)
        crc = zlib.crc32(data)
        kept = data if method == 0x30 else squeezed(data)
        sizes = struct.pack("<II", len(kept), len(data))
        known = struct.pack("<BIIBBHI", 3, crc, 0x52210000, 29, method, len(name.encode()), mode)
        whole += block(0x74, 0x8000, sizes + known + name.encode()) + kept
    path.write_bytes(whole + block(0x7B, 0x4000))
    return path


def rared_tight(path, members):
    """RAR 4, compressed."""
    return rared(path, members, 0x33)


def rared5_tight(path, members):
    """RAR 5, compressed."""
    return rared5(path, members, 3)


def squeezed(data, five=False):
    """The data compressed as RAR 2.9 (or 5) does, with fixed codes: bytes, and runs of one byte.

    Main symbols are canonical Huffman codes: 254 bytes of 8 bits, and of 9 bits two bytes, the end
    of a block and "the byte before, three times more" (RAR 5: twice). Before them stand the lengths
    of all codes, four bits each, and before those the lengths of the codes of these lengths: four.
    """
    run, length, sizes = (262, 2, (306, 64, 16, 44)) if five else (271, 3, (299, 60, 17, 28))
    lengths = [0] * sum(sizes)
    lengths[:254] = [8] * 254
    for symbol in (254, 255, 256, run):
        lengths[symbol] = 9
    for start in (sizes[0], sum(sizes[:2]), sum(sizes[:3])):
        lengths[start : start + 2] = [1, 1]  # distances, low distances, lengths of repeats
    long = {254: 508, 255: 509, 256: 510, run: 511}
    bits = ("" if five else "00") + "0100" * 16 + "0000" * 4
    bits += "".join(f"{one:04b}" for one in lengths)
    at = 0
    while at < len(data):
        again = at and data[at : at + length] == data[at - 1 : at] * length
        symbol = run if again else data[at]
        bits += f"{long[symbol]:09b}" if symbol in long else f"{symbol:08b}"
        bits += "0" if again else ""  # the distance: one
        at += length if again else 1
    bits += "" if five else f"{long[256]:09b}00"
    spare = -len(bits) % 8
    packed = int(bits + "0" * spare, 2).to_bytes((len(bits) + spare) // 8, "big")
    if not five:
        return packed
    head = bytes([0xC0 | 2 << 3 | 7 - spare]), struct.pack("<I", len(packed))[:3]
    check = 0x5A
    for byte in b"".join(head):
        check ^= byte
    return head[0] + bytes([check]) + head[1] + packed


def rared5(path, members, method=0):
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
        how = method if data else 0
        kept = squeezed(data, five=True) if how else data
        known = len(kept), 4, size, mode, crc, how << 7, 1, len(name.encode()), name.encode()
        whole += block(2, 2, *known) + kept
    path.write_bytes(whole + block(5, 0, 0))
    return path
