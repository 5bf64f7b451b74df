"""Git LFS: a repository has a small text for each large file, with its sha256 and size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from equipoise.console import log
from equipoise.data import room
from equipoise.data.fetch import fetch
from equipoise.data.sources import FileSource
from equipoise.errors import UserError

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"oid sha256:([0-9a-f]{64})\nsize ([1-9][0-9]*)\n"
)


def pointer(path: Path, urls: list[str], licence: str) -> FileSource:
    """Return where the file is that a pointer stands for, with its checksum.

    Args:
        path: The pointer, in a clone whose commit is known to be right.
        urls: Addresses of the file, best first.
        licence: Of the file.

    Raises:
        UserError: There is no such pointer.
    """
    try:
        found = _POINTER.fullmatch(path.read_bytes())
    except OSError:
        found = None
    if not found:
        raise UserError(f"{path}: a Git LFS pointer is expected; delete the clone and run again")
    sha256, size = found[1].decode(), int(found[2])
    return FileSource(urls=urls, size=size, sha256=sha256, licence=licence)


def fetch_all(sources: Sequence[tuple[FileSource, Path]], folder: Path) -> None:
    """Fetch files one after the other; those that are there and right are kept.

    Args:
        sources: Each file and where it goes.
        folder: On the disk that must have room for what is missing.

    Raises:
        UserError: A file cannot be fetched, or the disk has no room for all.
    """
    needed = sum(source.size for source, path in sources if not path.is_file())
    room.expect(folder, needed)
    log.info("%d files, %d bytes still to come", len(sources), needed)
    for source, path in sources:
        fetch(source, path)
