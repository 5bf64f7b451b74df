"""The one way a byte enters: every download of every data set goes through :func:`fetch`.

(Archives that are too large to be kept are read as a stream: :mod:`equipoise.data.archives`.)

A file gets its final name only after its size and sha256 were checked, a repository only after the
commit of its tag was. Sources are tried in turn. ``EQUIPOISE_MIRROR`` names a folder laid out as
``<host>/<path>`` (what ``wget -x`` makes) for machines without internet; what it holds is taken
from there without touching the network, and checked all the same.

pooch's downloader moves the bytes. pooch itself is not enough: it starts every attempt from zero,
knows one URL per file and looks at nothing but the checksum. So the partial file, the HTTP range
and the choice of the source are handled here, through the downloader's request options.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from equipoise import files
from equipoise.console import Progress, log, progress
from equipoise.data import drive, room
from equipoise.data.ask import TIMEOUT, TRIES, WrongError, start_of
from equipoise.data.repository import clone
from equipoise.data.sources import FileSource, RepositorySource, Source
from equipoise.errors import UserError
from equipoise.places import MIRROR, expect_apart

CHUNK = 1 << 14
"""Bytes per write: so much at most is lost when a connection is cut."""


def fetch(source: Source, destination: Path) -> None:
    """Put a file (or the files of a git tag) at ``destination``, checked.

    What is there already and right is kept. An interrupted file is continued by the next call,
    from any of its sources; git starts again.

    Args:
        source: An entry of the registry (:func:`equipoise.data.sources.source`).
        destination: The final path of the file, or of the folder with a repository's files.

    Raises:
        UserError: No source gave the right content (each is named with what was wrong), the disk
            has no room for it, or ``EQUIPOISE_MIRROR`` is not a folder.
    """
    destination = Path(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    kept, places = mirrored(source.urls), source.urls
    if isinstance(source, RepositorySource):
        clone(source, destination, [*map(str, kept), *places], hint(source))
    elif not destination.is_file() or _fault(destination, source):
        _fetch_file(source, destination, [*kept, *places])


def hint(source: Source) -> str:
    """Say what a person can do when no source works."""
    address = urlsplit(source.urls[0])
    where = f"${MIRROR}/{address.hostname}{unquote(address.path)}"
    return f"check the connection and run again, or put a good copy at {where}"


def mirrored(urls: list[str]) -> list[Path]:
    """Return what the mirror holds of ``urls``.

    Raises:
        UserError: ``EQUIPOISE_MIRROR`` is not a folder.
    """
    if not (root := os.environ.get(MIRROR)):
        return []
    folder = Path(root).expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"{MIRROR}={root}: no such folder; name one laid out as host/path")
    parts = [urlsplit(url) for url in urls]
    paths = [folder / (url.hostname or "") / unquote(url.path).lstrip("/") for url in parts]
    found = [path for path in paths if path.exists()]
    for path in found:
        expect_apart(path, MIRROR)
    return found


def _fetch_file(source: FileSource, destination: Path, places: list[Path | str]) -> None:
    # The checksum in the name keeps the beginning of another version from being continued.
    part = destination.with_name(f".{destination.name}.{source.sha256[:16]}.part")
    faults = []
    for place in places:
        log.info("fetching %s (%s) from %s", destination.name, source.licence, place)
        try:
            if isinstance(place, Path):
                _copy(place, part, source)
            else:
                address = drive.direct(place)
                _download(address, part, source if source.size else _sized(address, source))
        except WrongError as error:
            faults.append(f"{place}: {error}")
            log.warning("%s: %s", place, error)
        except OSError as error:
            raise UserError(
                f"{part}: cannot write: {error.strerror}; "
                f"{source.size or 'enough'} bytes are needed there"
            ) from None
        else:
            with files.atomic_path(destination) as temporary:
                part.replace(temporary)
            return
    tried = " | ".join(faults)
    raise UserError(f"{destination}: no source gave the right file: {tried}; {hint(source)}")


def _fault(path: Path, source: FileSource) -> str:
    """Say what is wrong with a file; empty if nothing is."""
    size = path.stat().st_size
    if source.size and size != source.size:
        with path.open("rb") as file:
            page = file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))
        what = " (an HTML page)" if page else ""
        return f"size: expected {source.size} bytes, got {size}{what}"
    if not (found := files.sha256(path)).startswith(source.sha256):
        return f"sha256: expected {source.sha256}, got {found}"
    return ""


def _copy(original: Path, part: Path, source: FileSource) -> None:
    """Copy from the mirror, and check the copy."""
    if not original.is_file() or not os.access(original, os.R_OK):
        raise WrongError("not a readable file")
    room.expect(part.parent, original.stat().st_size)
    shutil.copyfile(original, part)
    if fault := _fault(part, source):
        part.unlink()
        raise WrongError(fault)


def _sized(url: str, source: FileSource) -> FileSource:
    """Return the source of a file of unknown size with the size that the server states."""
    import requests

    headers = {"Accept-Encoding": "identity"}
    try:  # GET, not HEAD: addresses that are signed for the one refuse the other
        with requests.get(url, headers=headers, timeout=TIMEOUT, stream=True) as answer:
            if not answer.ok:
                raise WrongError(f"HTTP {answer.status_code}")
            size = answer.headers.get("Content-Length", "")
    except requests.RequestException as error:
        raise WrongError(f"connection failed ({type(error).__name__})") from None
    if not size.isdecimal() or int(size) == 0:
        raise WrongError("the server does not state the size")
    return source.model_copy(update={"size": int(size)})


def _download(url: str, part: Path, source: FileSource) -> None:
    """Bring ``part`` to completion from one URL: continue, and start again if that was no good."""
    room.expect(part.parent, source.size - (part.stat().st_size if part.exists() else 0))
    with progress(source.size, part.name[1:].rsplit(".", 2)[0]) as bar:
        bar.advance(part.stat().st_size if part.exists() else 0)
        for _ in range(TRIES):
            have = part.stat().st_size if part.exists() else 0
            cut = _request(url, part, source, bar) if have < source.size else ""
            size = part.stat().st_size
            if size < source.size and size > have:
                continue  # cut, but it brought something: go on from there
            if size < source.size:
                raise WrongError(f"{cut or 'connection closed'} at byte {size} of {source.size}")
            if not (fault := _fault(part, source)):
                return
            part.unlink()
            bar.advance(-size)
            if not have:
                raise WrongError(fault)
            # The beginning came from elsewhere and may be what is wrong: once more from zero.
    raise WrongError(f"connection cut {TRIES} times")


def _request(url: str, part: Path, source: FileSource, bar: Progress) -> str:
    """Append to ``part`` what the server sends; return how the connection broke, if it did."""
    import pooch
    import requests

    with part.open("ab") as file:
        writer = _Writer(file, source, bar)
        headers = {"Accept-Encoding": "identity"}
        if writer.have:
            headers["Range"] = f"bytes={writer.have}-"
        downloader = pooch.HTTPDownloader(
            chunk_size=CHUNK,
            timeout=TIMEOUT,
            headers=headers,
            hooks={"response": writer.answer},
        )
        try:
            downloader(url, writer, None)
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "error"
            raise WrongError(f"HTTP {status}") from None
        except requests.RequestException as error:
            return f"connection failed ({type(error).__name__})"
    return ""


class _Writer:
    """The open partial file, in the shape pooch's downloader wants to write to."""

    def __init__(self, file: IO[bytes], source: FileSource, bar: Progress) -> None:
        self._file, self._source, self._bar = file, source, bar
        self.have = file.tell()

    def answer(self, response: Any, **_: Any) -> None:
        """Look at the answer's head before a byte of it is written (a requests hook)."""
        if response.is_redirect or not response.ok:
            return  # requests follows it, or raises
        expected, start = self._source.size, start_of(response, self.have)
        with suppress(KeyError, ValueError):
            if (size := start + int(response.headers["Content-Length"])) != expected:
                raise WrongError(f"size: expected {expected} bytes, the server offers {size}")
        if start == 0:  # the server knows no ranges: everything comes again
            self._file.truncate(0)
            self._bar.advance(-self.have)

    def write(self, chunk: bytes) -> None:
        """Append, but never more than the file is long."""
        if self._file.tell() + len(chunk) > self._source.size:
            raise WrongError(f"size: expected {self._source.size} bytes, the server sends more")
        self._file.write(chunk)
        self._bar.advance(len(chunk))

    def flush(self) -> None:
        """Keep what came so far even if the process is killed."""
        self._file.flush()
