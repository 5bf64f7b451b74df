"""Clips of Kinetics-400 out of the archives of its owner (CVDF), without keeping an archive.

github.com/cvdfoundation/kinetics-dataset names for each part a text with the addresses of its
archives, and one archive with replacements for broken clips, which are known by the 11 characters
of the video. Replacements come first: a clip that they give is not taken from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from equipoise.data import archives, streamed

MEAN_BYTES = 1_500_000
"""Of a clip, rounded up: 443 GB unpacked hold 298,824 videos (the owner's counts of its parts)."""
REPLACEMENT = "replacement"


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
        root: A folder of the user.
        wanted: Name of a file to the part of Kinetics in which it is: train, val or test.

    Returns:
        A line for each archive that could not be read to its end.

    Raises:
        UserError: The disk has no room for what is wanted, or several archives in a row fail.
    """
    clips = _Clips(root, wanted)
    clips.expect_room(MEAN_BYTES)
    faults: list[str] = []
    for part in (REPLACEMENT, *dict.fromkeys(wanted.values())):
        if part == REPLACEMENT or part in clips.incomplete():
            clips.read(part, f"kinetics-400-{part}", faults)
    return faults


class _Clips(streamed.Clips):
    """Clips that another archive may replace."""

    def __init__(self, root: Path, wanted: Mapping[str, str]) -> None:
        found = find(root, list(wanted))
        super().__init__(root, wanted, found)
        self._by_video = {name[:11]: name for name in wanted}
        self._replaced = {name for name, path in found.items() if _replaces(Path(path))}

    def came(self, names: set[str], part: str) -> None:
        """Note what an archive has brought."""
        super().came(names, part)
        self._replaced |= names if part == REPLACEMENT else set()

    def pick(self, part: str) -> archives.Pick:
        """Return what is wanted of the archives of one part."""

        def replacement(member: str) -> str:
            name = self._by_video.get(member[:11], "")
            return "" if name in self._replaced else name

        return replacement if part == REPLACEMENT else super().pick(part)
