"""``ave``: audio-visual events in clips of ten seconds (Tian et al., ECCV 2018), 28 classes.

Lists of github.com/fanyunfeng-bit/Modal-Imbalance-PMR, commit 3615e489: the rows of the authors'
annotations in their split of 3,339 / 402 / 402. 45 videos stand there twice or three times, each
time with another class; within a side, PMR and AMSS keep the first row of a video (3,312 / 401 /
402), OGM-GE the last. 8 videos are in training and test, 10 in training and validation, with other
classes: the group is the video, so that stage split says it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from equipoise.data import owners, published
from equipoise.data.owners import Packed
from equipoise.data.published import Item
from equipoise.errors import UserError

HEADER = "Category&VideoID&Quality&StartTime&EndTime"
"""First line of the copy of the annotations in the archive of videos; the lists have none."""
HOW = (
    "the videos are a zip on Google Drive, linked from github.com/YapengTian/AVE-ECCV18: unpack "
    "it, or let download.unpack do that; if Drive refuses, put the zip into download.media by "
    "browser"
)
ARCHIVES = {"AVE_Dataset.zip": "ave-videos"}


class Settings(Packed):
    """Options under ``datasets.ave.download`` of params.yaml."""

    repeated: Literal["first", "last", "all"] = "first"
    """Which rows of a video that stands on one side more than once are used."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/*.mp4`` (links to your videos).

    Raises:
        UserError: A list cannot be fetched or read, or videos are absent.
    """
    rows = []
    for side in ("train", "val", "test"):
        name = f"ave-{side}"
        rows += choose(parse(published.lines(destination, name), side, name), settings.repeated)
    owners.bring(rows, settings, ARCHIVES, HOW)
    published.take(destination, named(rows), settings, HOW)


def parse(lines: list[str], side: str, where: str) -> list[Item]:
    """Return one sample for each row; the video's id stands for the name of the sample.

    ``start`` and ``end`` are the seconds of the event, as they stand there; the whole clip is used
    (one row, VWi2ENBuTbw, says 0 to 0).

    Raises:
        UserError: A line has not five fields, or times that are no numbers.
    """
    items = []
    for number, line in enumerate(lines, 1):
        if number == 1 and line == HEADER:
            continue
        fields = line.split("&")
        if len(fields) != 5 or not (fields[3] + fields[4]).isdecimal():
            raise UserError(f"{where}: line {number}: Category&VideoID&Quality&Start&End expected")
        label, video, _, start, end = fields
        cells = {"start": start, "end": end}
        media = {"video": f"{video}.mp4", "audio": f"{video}.mp4"}
        items.append(Item(video, label, side, media, video, cells))
    return items


def choose(items: list[Item], repeated: str) -> list[Item]:
    """Return the rows of one side that are used, in their order."""
    if repeated == "all":
        return items
    chosen: dict[str, Item] = {}
    for item in items:
        if repeated == "last" or item.group not in chosen:
            chosen[item.group] = item
    return list(chosen.values())


def named(items: list[Item]) -> list[Item]:
    """Give the second and third row of a video a name of its own: ``<id>.2``, ``<id>.3``."""
    seen: dict[str, int] = {}
    found = []
    for item in items:
        count = seen[item.group] = seen.get(item.group, 0) + 1
        name = item.group if count == 1 else f"{item.group}.{count}"
        found.append(replace(item, sample_id=name))
    return found
