"""Clips of Kinetics-400 out of the archives of its owner (CVDF), without keeping an archive.

github.com/cvdfoundation/kinetics-dataset names for each part a text with the addresses of its
archives, and one archive with replacements for broken clips, which are known by the 11 characters
of the video. Replacements come first: a clip that they give is not taken from elsewhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from equipoise.console import log, progress
from equipoise.data import archives, sources
from equipoise.data.fetch import WrongError
from equipoise.errors import UserError

MEAN_BYTES = 1_500_000
"""Of a clip, rounded up: 443 GB unpacked hold 298,824 videos (the owner's counts of its parts)."""
REPLACEMENT = "replacement"
IN_A_ROW = 3
"""So many archives that cannot be read, one after the other, end it: the server is out of reach."""


def find(root: Path, names: Sequence[str]) -> dict[str, str]:
    """Return name to path below ``root`` of those clips that are there, however deep.

    What lies in a folder whose name begins with ``replacement`` stands in for any other file of
    the same video, as in the owner's program.
    """
    wanted, by_video = set(names), {name[:11]: name for name in names}
    plain, replaced = {}, {}
    for path in sorted(root.rglob("*.mp4")):
        below = path.relative_to(root)
        if _replaces(below):
            if name := by_video.get(path.name[:11]):
                replaced[name] = below.as_posix()
        elif path.name in wanted:
            plain[path.name] = below.as_posix()
    return plain | replaced


def _replaces(path: Path) -> bool:
    return any(part.startswith(REPLACEMENT) for part in path.parts[:-1])


def stream(root: Path, wanted: Mapping[str, str]) -> list[str]:
    """Bring those clips that are not there into ``root/<part>/`` and ``root/replacement/``.

    Args:
        root: A folder of the user. ``archives/`` in it says what each archive holds, so that one is
            read a second time only for a clip that is no longer there.
        wanted: Name of a file to the part of Kinetics in which it is: train, val or test.

    Returns:
        A line for each archive that could not be read to its end.

    Raises:
        UserError: The disk has no room for what is wanted, or several archives in a row fail.
    """
    root.mkdir(parents=True, exist_ok=True)
    clips = _Clips(root, wanted)
    clips.expect_room()
    faults: list[str] = []
    for part in (REPLACEMENT, *dict.fromkeys(wanted.values())):
        if part == REPLACEMENT or part in clips.incomplete():
            _part(clips, part, faults)
    return faults


def _part(clips: _Clips, part: str, faults: list[str]) -> None:
    """Read all archives of one part."""
    try:
        urls = archives.addresses(sources.stream(f"kinetics-400-{part}"))
    except WrongError as error:
        faults.append(str(error))
        return
    in_a_row = 0
    with progress(len(urls), f"kinetics-400: archives of {part}") as bar:
        for url in urls:
            try:
                clips.take(url, part)
                in_a_row = 0
            except WrongError as error:
                faults.append(f"{url}: {error}")
                log.warning("%s", faults[-1])
                in_a_row += 1
            if in_a_row == IN_A_ROW:
                raise UserError(
                    f"{IN_A_ROW} archives in a row cannot be read, last {faults[-1]}; check the "
                    "connection and run again: it goes on from there"
                )
            bar.advance()


class _Clips:
    """What is wanted, and what of it is there."""

    def __init__(self, root: Path, wanted: Mapping[str, str]) -> None:
        self._root, self._wanted = root, wanted
        self._by_video = {name[:11]: name for name in wanted}
        found = find(root, list(wanted))
        self._there = set(found)
        self._replaced = {name for name, path in found.items() if _replaces(Path(path))}

    def incomplete(self) -> set[str]:
        """Return the parts of which a clip is not there."""
        return {part for name, part in self._wanted.items() if name not in self._there}

    def expect_room(self) -> None:
        """Refuse a disk without room for what is still to come, by the mean size of a clip.

        Raises:
            UserError: How much is needed and how much is free.
        """
        needed = MEAN_BYTES * (len(self._wanted) - len(self._there))
        free = shutil.disk_usage(self._root).free
        if needed > free:
            raise UserError(
                f"{self._root}: about {needed} bytes are still to come, {free} are free there; "
                "name another folder with download.media, or make room"
            )

    def take(self, url: str, part: str) -> None:
        """Read an archive, if it may hold a clip that is not there.

        Raises:
            WrongError: It cannot be had or is no such archive.
        """
        name = Path(urlsplit(url).path).name
        index = self._root / "archives" / part / f"{name}.txt"
        members = archives.known(index)
        if members is None or any(map(self._pick(part), members)):
            kept = archives.take(url, self._root / part, index, self._pick(part))
            log.info("%s: %d clips", url, kept)
            new = set(filter(None, map(self._pick(part), archives.known(index) or ())))
            self._there |= new
            self._replaced |= new if part == REPLACEMENT else set()

    def _pick(self, part: str) -> archives.Pick:
        def replacement(member: str) -> str:
            name = self._by_video.get(member[:11], "")
            return "" if name in self._replaced else name

        def clip(member: str) -> str:
            return member if member in self._wanted and member not in self._there else ""

        return replacement if part == REPLACEMENT else clip
