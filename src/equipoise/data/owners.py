"""Archives of the owners of media: fetched where a program can, and unpacked in the user's folder.

A folder that is filled once serves every list. Archives stay where they are; what is unpacked
already is not looked for in them again, so that they may be deleted. ``FOLDER/archives/NAME.txt``
says what an archive holds, so that one is not read (nor fetched) again for a file that it lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from equipoise import files
from equipoise.data import sources
from equipoise.data.ask import WrongError
from equipoise.data.fetch import fetch
from equipoise.data.published import Item, Published
from equipoise.data.unpack import end_of, unpack, volumes
from equipoise.errors import UserError


class Packed(Published):
    """Options of a data set whose owners give archives."""

    unpack: bool = False
    """Take the listed files out of the owners' archives in the folder ``media``, into this folder.
    An archive that a program can get, and that is not there, is fetched first."""


def bring(
    items: Sequence[Item],
    settings: Packed,
    archives: Mapping[str, str],
    how: str,
    inside: str = "",
) -> None:
    """Unpack what is listed and absent, if ``download.unpack`` asks for it.

    Args:
        items: The samples; their media are paths below the user's folder.
        settings: Names the folder.
        archives: Name of an archive in the folder (its first volume) to its entry in sources.toml;
            empty: a person puts it there.
        how: What a person does to get the archives.
        inside: What stands before an item's path in an archive, as ``folder/``, if the path alone
            may mean another file.

    Raises:
        UserError: No folder is named; an archive is absent, cannot be fetched, or is not right.
    """
    if not settings.unpack:
        return
    if not settings.media:
        raise UserError("download.unpack: name with download.media the folder of the archives")
    root = Path(settings.media).expanduser()
    root.mkdir(parents=True, exist_ok=True)
    listed = {inside + path: path for item in items for path in item.media.values()}
    for name, entry in archives.items():
        missing = {end for end, path in listed.items() if not (root / path).is_file()}
        if not missing:
            return
        archive, index = root / name, root / "archives" / f"{name}.txt"
        known = _noted(index, archive)
        if known is not None and missing.isdisjoint(end_of(member, listed) for member in known):
            continue
        if not archive.is_file() and not entry:
            raise UserError(f"{archive}: no such archive; {how}")
        if not archive.is_file():
            fetch(sources.source(entry), archive)
        try:
            held = unpack(archive, root, listed).names
        except WrongError as error:
            raise UserError(f"{archive}: {error}") from None
        files.write_text(index, "".join(f"{line}\n" for line in (_stamp(archive), *held)))


def _noted(index: Path, archive: Path) -> list[str] | None:
    """Return what an archive that was read to its end holds; None: it was not, or is another."""
    try:
        stamp, *names = index.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    return names if not archive.is_file() or stamp == _stamp(archive) else None


def _stamp(archive: Path) -> str:
    """Return sizes and times of all volumes."""
    return " ".join(f"{s.st_size}:{s.st_mtime_ns}" for s in map(Path.stat, volumes(archive)))
