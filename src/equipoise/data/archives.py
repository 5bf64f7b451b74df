"""Archives that are read as a stream: what is wanted of them is kept, the archive never.

An archive is a stranger's. A member is known by the last part of its name, which is compared and
never joined to a path; links, devices and folders are passed over; sizes and counts have limits.
What is wanted is collected in a folder beside and gets its final names when the whole archive has
been read and was complete: a tar.gz by its own CRC, a tar by the zeros at its end. Then its index,
the names of all its members, is noted: an archive that holds nothing that is still wanted is not
asked for again.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from equipoise import files
from equipoise.console import log
from equipoise.data.ask import TRIES, WrongError
from equipoise.data.body import CHUNK, AgainError, opened
from equipoise.data.sources import StreamSource
from equipoise.errors import StorageError

MEMBERS = 100_000
"""Most members of one archive."""
UNPACKED = 1 << 36
"""Most bytes of one archive when unpacked: 64 GiB."""
LARGEST = 1 << 28
"""Most bytes of one file that is wanted: 256 MiB."""
HEADERS = 1 << 20
"""Most bytes between two members: long names and remarks of one, which tarfile keeps in memory."""
LIST = 1 << 20
"""Most bytes of a text with addresses."""
_GZIP = b"\x1f\x8b"
_ENDING = 1024
"""A tar ends with so many zeros at least."""


class DamagedError(WrongError):
    """The archive itself is wrong, from a known place on."""


Pick = Callable[[str], str]
"""Last part of a member's name to the name under which it is kept; empty: not wanted."""


def addresses(source: StreamSource) -> list[str]:
    """Return the addresses of all archives of a source.

    Raises:
        WrongError: The list cannot be had, or names something else than archives beside it.
    """
    if source.holds != "addresses":
        return source.urls if source.holds == "archives" else source.urls[:1]
    faults = []
    for url in source.urls:
        try:
            with opened(url) as file:
                return _listed(file.read(LIST + 1), url)
        except (WrongError, AgainError) as error:
            faults.append(f"{url}: {error}")
    raise WrongError(" | ".join(faults))


def _listed(content: bytes, url: str) -> list[str]:
    lines = content.decode("utf-8", "replace").split()
    here = urlsplit(url)[:2]
    for line in lines:
        if urlsplit(line)[:2] != here or not line.endswith((".tar.gz", ".tgz", ".tar")):
            raise WrongError(f"no list of archives of this server: {line[:80]!r}")
    if not lines or len(content) > LIST:
        raise WrongError(f"no list of archives: {len(content)} bytes")
    return list(dict.fromkeys(urljoin(url, line) for line in lines))


def known(index: Path) -> list[str] | None:
    """Return the members of an archive that was read to its end; None: it was not."""
    try:
        return index.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None


def take(url: str, folder: Path, index: Path, pick: Pick, salvage: bool = False) -> int:
    """Read one archive and keep what is wanted.

    Args:
        url: Its address.
        folder: Receives the files.
        index: Receives the names of all members, a line each, when everything else is done.
        pick: What is wanted, and under which name.
        salvage: Of an archive that breaks off or cannot be unpacked from some byte on, keep the
            files before, but for the last of them; it is an error still, and gets no index. Their
            CRC is not known then. If only the CRC is wrong, nothing says where, nothing is kept.

    Returns:
        How many files were kept.

    Raises:
        WrongError: It cannot be had, is cut or damaged, is no archive, or exceeds a limit.
        StorageError: The disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / f".{Path(urlsplit(url).path).name}.part"
    for attempt in range(1, TRIES + 1):
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        try:
            with opened(url) as stream:
                names = _read(stream, staged, pick)
            break
        except AgainError as error:
            log.warning("%s: %s; begun again", url, error)
            if attempt == TRIES:
                raise WrongError(f"{error}, {TRIES} times") from None
        except DamagedError as error:
            if not salvage:
                raise
            raise DamagedError(f"{error}; {_publish(staged, folder)} files before it") from None
    count = _publish(staged, folder)
    files.write_text(index, "".join(f"{name}\n" for name in names))
    return count


def _publish(staged: Path, folder: Path) -> int:
    """Give what was written its final names; return how many files those are."""
    kept = sorted(staged.iterdir())
    for path in kept:
        with files.atomic_path(folder / path.name) as temporary:
            path.replace(temporary)
    shutil.rmtree(staged)
    return len(kept)


def _read(stream: io.BufferedReader, staged: Path, pick: Pick) -> list[str]:
    """Write what is wanted into ``staged``; return the names of all files of the archive."""
    first = stream.peek(len(_GZIP))
    if first.lstrip()[:1] == b"<":
        raise WrongError("a web page instead of an archive")
    names, last = [], ""
    try:
        packed = first.startswith(_GZIP)
        watched = _Watched(gzip.GzipFile(fileobj=stream) if packed else stream)
        with tarfile.open(fileobj=watched, mode="r|") as tar:
            for count, member in enumerate(tar, 1):
                if count > MEMBERS:
                    raise WrongError(f"more than {MEMBERS} members")
                plain = member.isreg() or member.type not in tarfile.SUPPORTED_TYPES
                watched.expect(member.size if plain else 0)
                name = _keep(tar, member, staged, pick)
                names += [name] if name else []
                last = pick(name) or last
        watched.drain()
    except StorageError:
        raise
    except gzip.BadGzipFile as error:
        raise WrongError(f"damaged, or no archive ({error})") from None
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError, RecursionError) as error:
        if last:
            (staged / last).unlink(missing_ok=True)
        raise DamagedError(f"cut or damaged, or no archive ({error})") from None
    return names


def _keep(tar: tarfile.TarFile, member: tarfile.TarInfo, staged: Path, pick: Pick) -> str:
    """Return the name of a member, empty if it is no file; write it if it is wanted."""
    if member.issparse():
        raise WrongError(f"a sparse file, {member.name[:80]!r}")
    name = member.name.rpartition("/")[2]
    if not member.isreg() or not name.isprintable():
        return ""
    if target := pick(name):
        if member.size > LARGEST:
            raise WrongError(f"{name}: {member.size} bytes, more than {LARGEST}")
        source = tar.extractfile(member)
        content = source.read() if source else b""
        with files.atomic_path(staged / target) as temporary:
            temporary.write_bytes(content)
    return name


class _Watched(io.BufferedIOBase):
    """The unpacked archive: counts bytes, and remembers how it ends."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._at, self._limit = 0, HEADERS
        self._tail = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; fewer than ``size`` at the end only."""
        content = self._stream.read(size)
        self._at += len(content)
        self._tail = (self._tail + content[-_ENDING:])[-_ENDING:]
        if self._at > min(self._limit, UNPACKED):
            what = "unpacked" if self._at > UNPACKED else "of names and remarks"
            raise WrongError(f"more than {min(self._limit, UNPACKED)} bytes {what}")
        return content

    def expect(self, size: int) -> None:
        """Let the body of a member pass, of ``size`` bytes, and the headers of the next one."""
        self._limit = self._at + size + HEADERS

    def drain(self) -> None:
        """Read to the end.

        Raises:
            WrongError: It is not the end of a tar.
        """
        self._limit = self._at + HEADERS
        while self.read(CHUNK):
            pass
        if self._tail != bytes(_ENDING):
            raise WrongError("cut: it does not end as a tar does")
