"""What the published data sets have in common: lists that are fetched, media that are found.

A list says which samples there are, on which side they stand and what they are called; it is
fetched and checked. Media that cannot be fetched by a program (a form, a browser, an archive that
the owner gives out) are taken from a folder of the user that is laid out as published. A listed
file that is not there is counted and said, never skipped silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from equipoise import files, vouch
from equipoise.console import log
from equipoise.data.fetch import fetch
from equipoise.data.folder import link
from equipoise.data.sources import source as source
from equipoise.errors import UserError
from equipoise.media import look
from equipoise.media.errors import MediaError
from equipoise.section import Section

COVERAGE = "coverage.json"
"""Beside manifest.csv, where listed samples are absent: how many of which side and class."""


class Published(Section):
    """Options that every published data set has under ``datasets.<name>.download``."""

    media: str = ""
    """Folder with the media as published; relative to the project folder, or absolute."""
    allow_missing: Annotated[int, Field(ge=0)] = 0
    """Listed samples that may be without a file; they are left out and stand in coverage.json."""


@dataclass(frozen=True)
class Item:
    """One sample of a list."""

    sample_id: str
    label: str
    split: str
    media: Mapping[str, str]
    """Column to the path of a file below the user's folder."""
    group: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    """Column to what stands there, of columns that are no files."""


def lines(destination: Path, name: str) -> list[str]:
    r"""Fetch a list and return its lines, without a byte order mark and without line ends.

    Lines are what ``\n`` and ``\r\n`` end: tweets hold others that Python would cut at.

    Raises:
        UserError: It cannot be fetched.
    """
    path = destination / "sources" / name
    fetch(source(name), path)
    return split_lines(path.read_bytes())


def split_lines(content: bytes) -> list[str]:
    """Return the lines of a UTF-8 text; an end after the last one makes no further line."""
    found = content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    return found[:-1] if found[-1] == "" else found


def located(items: Sequence[Item], settings: Published) -> list[Item]:
    """Put in place of each file's name its path below the user's folder, however deep it lies."""
    root = Path(settings.media).expanduser()
    found = sorted(root.rglob("*.mp4")) if settings.media else []
    paths = {path.name: path.relative_to(root).as_posix() for path in found}

    def one(item: Item) -> Item:
        media = {column: paths.get(name, name) for column, name in item.media.items()}
        return replace(item, media=media)

    return [one(item) for item in items]


def take(destination: Path, items: Sequence[Item], settings: Published, how: str) -> None:
    """Link the media of a user's folder and write the manifest of those samples that have all.

    Args:
        destination: Receives manifest.csv and media/.
        items: The samples, in the order of the manifest.
        settings: Where the media are, and how many samples may be absent.
        how: What a person does to get the media: one sentence without a full stop.

    Raises:
        UserError: No folder, too many absent files, or a file that is a pointer or a web page.
    """
    root, kept = present(destination, items, settings, how)
    for path in {path: None for item in kept for path in item.media.values()}:
        link(destination / "media" / path, (root / path).resolve())
    write(destination, kept)


def present(
    destination: Path, items: Sequence[Item], settings: Published, how: str
) -> tuple[Path, list[Item]]:
    """Return the user's folder and the samples that have all their files in it.

    Raises:
        UserError: No folder, too many absent files, or a file that is a pointer or a web page.
    """
    root = Path(settings.media).expanduser()
    first = next(iter(items[0].media.values()))
    if not settings.media or not root.is_dir():
        what = f"no folder {settings.media!r}" if settings.media else "no folder of media is named"
        raise UserError(f"{what}; {how}; then name with download.media the folder with {first}")
    there = {path for item in items for path in item.media.values() if (root / path).is_file()}
    kept = [item for item in items if there.issuperset(item.media.values())]
    report(destination, items, kept, settings, f"below {root}; {how}")
    refuse(root, kept)
    return root, kept


def report(
    destination: Path, items: Sequence[Item], kept: Sequence[Item], settings: Published, where: str
) -> None:
    """Say which listed samples are absent; write :data:`COVERAGE` if there are any.

    Raises:
        UserError: More than ``allow_missing``, or all samples of a class or of a side.
    """
    here = {item.sample_id for item in kept}
    absent = [item for item in items if item.sample_id not in here]
    (destination / COVERAGE).unlink(missing_ok=True)
    if not absent:
        return
    first = next(iter(absent[0].media.values()))
    if len(absent) > settings.allow_missing:
        raise UserError(
            f"{len(absent)} of {len(items)} listed samples have no file, first {first}, {where}; "
            f"or allow so many with download.allow_missing: {len(absent)}"
        )
    for what in ("label", "split"):
        names = {getattr(item, what) for item in items} - {getattr(item, what) for item in kept}
        if names:
            raise UserError(f"no sample of {what} {min(names)!r} has its files, first {first}")
    vouch.write(destination / COVERAGE, _coverage(items, absent))
    log.warning("%d of %d listed samples are absent: %s", len(absent), len(items), COVERAGE)


def _coverage(items: Sequence[Item], absent: Sequence[Item]) -> dict[str, object]:
    def count(some: Sequence[Item], what: str) -> dict[str, int]:
        return dict(sorted(Counter(str(getattr(item, what)) for item in some).items()))

    return {
        "listed": {"samples": len(items), "split": count(items, "split")},
        "absent": {what: count(absent, what) for what in ("split", "label")},
        "samples": [item.sample_id for item in absent],
    }


def refuse(root: Path, items: Sequence[Item]) -> None:
    """Refuse files that are no media whatever they are called: pointers, web pages, empty ones.

    Raises:
        UserError: How many, and the first.
    """
    faults = []
    for path in {path: None for item in items for path in item.media.values()}:
        try:
            look.head(root / path)
        except MediaError as error:
            faults.append(f"{root / path}: {error}")
    if faults:
        raise UserError(f"{len(faults)} file(s) are no media; first {faults[0]}")


def write(destination: Path, items: Sequence[Item]) -> None:
    """Write the manifest of samples whose media lie below ``media/``."""
    columns, cells = [*items[0].media], [*items[0].cells]
    rows = (
        {
            **{"sample_id": i.sample_id, "label": i.label, "split": i.split, "group": i.group},
            **{column: f"media/{path}" for column, path in i.media.items()},
            **i.cells,
        }
        for i in items
    )
    header = ["sample_id", "label", "split", "group", *columns, *cells]
    files.write_csv(destination / "manifest.csv", header, rows)
