"""Archives in a folder of the user: listed files are taken out of them, and nothing else.

zip is read by Python; rar and 7z, also in volumes (``.001``, ``.002``), by libarchive, through the
package libarchive-c (``pip install equipoise[archives]``), in a process of its own: what makes the
library fall makes a line here. libarchive 3.6 does not compare the checksums of files that stand in
a rar unpacked, so they are read by the package rarfile and compared here. An archive is a
stranger's. A member is wanted if the end of its name is that of a listed file; no name of an
archive is joined to a path. Links, devices and folders are passed over, sizes and counts have the
limits of :mod:`equipoise.data.archives`, and a file gets its name when all of it was read and its
checksum was right.
"""

from __future__ import annotations

import io
import logging
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any, NamedTuple

from equipoise import files
from equipoise.data import archives, room
from equipoise.data.ask import WrongError

KINDS = {
    b"PK\x03\x04": "zip",
    b"Rar!\x1a\x07\x00": "rar",
    b"Rar!\x1a\x07\x01\x00": "rar5",
    b"7z\xbc\xaf\x27\x1c": "7zip",
}
"""First bytes of an archive to its name in libarchive."""
WITHOUT = (
    "a {} archive is read by libarchive: pip install 'equipoise[archives]', and the system's "
    "library (Debian: libarchive13); or unpack it by hand"
)
_BLOCK = 1 << 20


class Member(NamedTuple):
    """One entry of an archive; ``content`` is read before the next entry, or not at all."""

    name: str
    size: int
    content: Iterable[bytes] | None
    """None: it is no regular file."""
    crc: int | None = None
    """Of the content, where nobody else compares it."""


class Taken(NamedTuple):
    """What came out of an archive."""

    written: int
    """Files that were written."""
    names: list[str]
    """Of all files that are in it, written or not."""


def unpack(path: Path, folder: Path, wanted: Mapping[str, str]) -> Taken:
    """Take files out of an archive; those that are in ``folder`` are kept as they are.

    Args:
        path: The archive, or its first volume.
        folder: Receives the files.
        wanted: End of a member's name, as ``class/clip.avi``, to the path below ``folder``. All
            ends have the same number of parts.

    Returns:
        How many files were written, and the names of all that the archive has.

    Raises:
        WrongError: It is no such archive, damaged or cut, has a password, exceeds a limit, or the
            library for it is not there.
        UserError: The disk has no room for them, or is full all the same.
    """
    with path.open("rb") as file:
        first = file.read(16)
    kind = next((kind for start, kind in KINDS.items() if first.startswith(start)), "")
    if not kind:
        page = first.lstrip()[:1] == b"<"
        raise WrongError("a web page" if page else "no zip, rar or 7z archive")
    parts = volumes(path)
    missing = sum(not (folder / target).is_file() for target in wanted.values())
    needed = sum(v.stat().st_size for v in parts) * missing // max(len(wanted), 1)
    room.expect(folder, needed, about=True)
    if kind == "zip":
        return _zip(path, folder, wanted)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
        try:
            return child.submit(_libarchive, kind, parts, folder, dict(wanted)).result()
        except BrokenProcessPool:
            raise WrongError("libarchive fell over it; unpack it by hand") from None


def volumes(path: Path) -> list[Path]:
    """Return all volumes of ``NAME.001``, in order; of another archive itself."""
    if path.suffix != ".001":
        return [path]
    found: list[Path] = []
    while (volume := path.with_suffix(f".{len(found) + 1:03d}")).is_file():
        found.append(volume)
    return found


def _zip(path: Path, folder: Path, wanted: Mapping[str, str]) -> Taken:
    try:
        with zipfile.ZipFile(path) as archive:
            return write(_zip_members(archive), folder, wanted)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise WrongError(f"cut or damaged ({error})") from None
    except RuntimeError as error:  # a password
        raise WrongError(str(error)) from None


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        plain = kind in (0, stat.S_IFREG) and not info.is_dir()
        yield Member(info.filename, info.file_size, _zip_content(archive, info) if plain else None)


def _zip_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as file:
        while block := _block(file):
            yield block


def _block(file: IO[bytes]) -> bytes:
    """Return the next bytes; what cannot be unpacked is the archive's fault, not the disk's."""
    try:
        return file.read(_BLOCK)
    except (lzma.LZMAError, OSError) as error:
        raise WrongError(f"cut or damaged ({error})") from None


def _libarchive(kind: str, parts: list[Path], folder: Path, wanted: Mapping[str, str]) -> Taken:
    try:
        import libarchive
        import rarfile
    except (ImportError, AttributeError, OSError, TypeError):  # the last three: no system library
        raise WrongError(WITHOUT.format(kind)) from None
    logging.getLogger("libarchive").setLevel(logging.CRITICAL)  # what it warns of is refused here
    try:
        crcs = _crcs(parts[0]) if kind.startswith("rar") else {}
        with _Joined(parts) as stream, libarchive.stream_reader(stream, kind) as opened:
            return write(_entries(opened, crcs), folder, wanted)
    except (libarchive.ArchiveError, rarfile.Error) as error:
        said = " ".join(str(getattr(error, "msg", error)).split())
        raise WrongError(
            f"cut, damaged, or not readable by libarchive ({said}); unpack it by hand"
        ) from None


def _crcs(path: Path) -> dict[str, int | None]:
    """Return the checksums of the files of a rar; None: one that libarchive compares."""
    import rarfile

    with rarfile.RarFile(path) as archive:
        infos = [info for info in reversed(archive.infolist()) if info.is_file()]
        return {info.filename: info.CRC for info in infos}  # of one name, the first


def _entries(opened: Any, crcs: Mapping[str, int | None]) -> Iterator[Member]:
    for entry in opened:
        name, size = str(entry.pathname), int(entry.size or 0)
        blocks = entry.get_blocks(_BLOCK) if entry.isreg and not entry.islnk else None
        yield Member(name, size, blocks, crcs.get(name))


def write(members: Iterable[Member], folder: Path, wanted: Mapping[str, str]) -> Taken:
    """Write what is wanted, and note what is there.

    Raises:
        WrongError: A limit is exceeded, or a file is not as long as the archive says.
    """
    total = count = 0
    names = []
    for number, (name, size, content, crc) in enumerate(members, 1):
        if number > archives.MEMBERS:
            raise WrongError(f"more than {archives.MEMBERS} members")
        total += size
        if total > archives.UNPACKED:
            raise WrongError(f"more than {archives.UNPACKED} bytes unpacked")
        if content is None:
            continue
        names.append(name)
        target = wanted.get(end_of(name, wanted), "")
        if not target or (folder / target).exists():
            continue
        if size > archives.LARGEST:
            raise WrongError(f"{target}: {size} bytes, more than {archives.LARGEST}")
        with files.atomic_path(folder / target) as temporary, temporary.open("wb") as file:
            found = _copy(content, file, size, target)
            if crc is not None and found != crc:
                raise WrongError(f"{target}: damaged: its checksum is wrong")
        count += 1
    return Taken(count, names)


def end_of(name: str, wanted: Mapping[str, str]) -> str:
    """Return as many last parts of a member's name as the names that are wanted have."""
    depth = next(iter(wanted)).count("/") + 1
    return "/".join(name.replace("\\", "/").split("/")[-depth:])


def _copy(content: Iterable[bytes], file: IO[bytes], size: int, target: str) -> int:
    """Write so many bytes; return their CRC."""
    written = crc = 0
    for block in content:
        written += len(block)
        if written > size:
            break
        crc = zlib.crc32(block, crc)
        file.write(block)
    if written != size:
        raise WrongError(f"{target}: damaged: {size} bytes by the archive, it holds others")
    return crc


class _Joined(io.RawIOBase):
    """Volumes one after the other, as one file."""

    def __init__(self, volumes: list[Path]) -> None:
        self._files: list[IO[bytes]] = [volume.open("rb") for volume in volumes]
        self._sizes = [volume.stat().st_size for volume in volumes]
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte; return which one that is."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: sum(self._sizes)}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``, at most to the end of a volume; return how many bytes came."""
        before = 0
        for file, size in zip(self._files, self._sizes, strict=True):
            if self._at < before + size:
                file.seek(self._at - before)
                content = file.read(min(len(buffer), before + size - self._at))
                buffer[: len(content)] = content
                self._at += len(content)
                return len(content)
            before += size
        return 0

    def close(self) -> None:
        """Close all volumes."""
        for file in self._files:
            file.close()
        super().close()
