"""``vggsound``: what sounds in a clip of ten seconds (Chen et al., ICASSP 2020), 309 classes.

Lists of the authors, github.com/hche11/VGGSound, commit 9bbc7491: ``train.csv`` (183,730) and
``test.csv`` (15,446). Many videos are gone from YouTube: papers use what they could get, so say
``allow_missing`` and give coverage.json with your numbers. The group is the video.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from equipoise.data import published, streamed
from equipoise.data.fetch import fetch
from equipoise.data.published import Item, Published
from equipoise.errors import UserError

NAME = re.compile(r"([\w-]{11})_\d{6}\.mp4")
HOW = (
    "the clips are tar.gz parts on huggingface.co (datasets/Loie/VGGSound), or are cut from "
    "YouTube: unpack the files <id>_<second, six digits>.mp4 below one folder, or let "
    "download.stream read all parts and keep the listed clips"
)
MEAN_BYTES = 1_800_000
"""Of a clip, rounded up: 338 GB of parts (by one who fetched them) for some 199,000 clips."""
PART = "clips"


class Settings(Published):
    """Options under ``datasets.vggsound.download`` of params.yaml."""

    stream: bool = False
    """Fill the folder ``media``: twenty archives, 338 GB, are read through the network, and only
    listed clips are kept. What is there already is not asked for; an interrupted run is continued
    by the next, at the archive where it stood. ``vggsound_08.tar.gz`` is known to be damaged: what
    stands before the damage is kept, the rest is absent."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/**.mp4`` (links to your clips).

    Raises:
        UserError: The lists cannot be fetched or read, or clips are absent.
    """
    clone = destination / "sources" / "vggsound"
    fetch(published.source("vggsound"), clone)
    items = []
    for side in ("train", "test"):
        path = clone / "data" / f"{side}.csv"
        items += parse(published.split_lines(path.read_bytes()), side, path.name)
    how = _stream(items, settings) if settings.stream else HOW
    items = published.located(items, settings)
    published.take(destination, items, settings, how)


def _stream(items: list[Item], settings: Settings) -> str:
    """Bring absent clips into the user's folder; say why those that are still absent are."""
    streamed.expect_folder(settings.media)
    root, names = Path(settings.media).expanduser(), [item.media["video"] for item in items]
    there = {path.name for path in root.rglob("*.mp4")}
    clips = streamed.Clips(
        root, dict.fromkeys(names, PART), there.intersection(names), salvage=True
    )
    clips.expect_room(MEAN_BYTES)
    faults: list[str] = []
    if clips.incomplete():
        clips.read(PART, "vggsound-clips", faults)
    return streamed.lost(faults)


def parse(lines: list[str], side: str, where: str) -> list[Item]:
    """Return the samples of one list: ``id_000300.mp4,class``, quoted where the class has a comma.

    Raises:
        UserError: A line is no such pair.
    """
    items = []
    for number, cells in enumerate(csv.reader(lines), 1):
        found = NAME.fullmatch(cells[0]) if len(cells) == 2 and cells[1].strip() else None
        if not found:
            raise UserError(f"{where}: line {number}: a file and its class expected")
        media = {"video": cells[0], "audio": cells[0]}
        name = cells[0].removesuffix(".mp4")
        items.append(Item(name, cells[1].strip(), side, media, found[1]))
    return items
