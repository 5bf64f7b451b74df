"""``kinetics_sounds``: 31 sounding actions (after Arandjelovic and Zisserman, ICCV 2017).

Clips of Kinetics-400. Three lists: ``ogm_ge`` (Peng et al., CVPR 2022), 14,799 / 2,597, without
validation; ``bml``, the same rows and 1,320 for validation; ``tcmax``, 14,675 / 2,594, with names
in place of numbers. Test clips are of Kinetics' own test part, whose labels stand nowhere else.

A clip is named by its YouTube id (11 characters, which may hold ``_`` and begin with ``-``) and
the second where it starts; lists write that with zeros (``_000058_000068``) or without (``_58``),
files with. Which classes there are depends on who counts: :data:`VARIANTS`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from equipoise.data import kinetics, published, streamed
from equipoise.data.published import Item, Published
from equipoise.errors import UserError

CLASSES = tuple(
    name.replace(" ", "_")
    for name in re.findall(
        r"\w[\w ]+",
        """
    blowing nose, blowing out candles, bowling, chopping wood, dribbling basketball, laughing,
    mowing lawn, playing accordion, playing bagpipes, playing bass guitar, playing clarinet,
    playing drums, playing guitar, playing harmonica, playing keyboard, playing organ,
    playing piano, playing saxophone, playing trombone, playing trumpet, playing violin,
    playing xylophone, ripping paper, shoveling snow, shuffling cards, singing, stomping grapes,
    tap dancing, tapping guitar, tapping pen, tickling
    """,
    )
)
"""Names in the order of the numbers in OGM-GE's lists, which is that of the alphabet."""
VARIANTS = {
    "31": CLASSES,
    "32": (*CLASSES, "strumming_guitar"),
    "33": (*CLASSES, "tying_tie", "finger_snapping"),
}
"""31: the lists here. 32: AdaMML's and CrissCross'. 33: the download of ARL, GDL and DMRNet, which
evaluates on Kinetics' validation part. No list of the last two is published."""
ID = re.compile(r"([\w-]{11})_0*(\d+)(?:_\d+)?")
HOW = (
    "the clips are in the archives of github.com/cvdfoundation/kinetics-dataset (train, val, test, "
    "replacement_for_corrupted_k400.tgz): unpack them below one folder, or let download.stream "
    "read all of them and keep these clips"
)


class Settings(Published):
    """Options under ``datasets.kinetics_sounds.download`` of params.yaml."""

    list: Literal["ogm_ge", "bml", "tcmax"] = "bml"
    """Which clips there are, and on which side."""
    stream: bool = False
    """Fill the folder ``media``: the archives of Kinetics-400 are read through the network, up to
    436 GB, and of them only the clips of the list are kept, about 28 GB. What is there already is
    not asked for; an interrupted run is continued by the next."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/**.mp4`` (links to your clips).

    Raises:
        UserError: A list cannot be fetched or read, archives cannot be had, or clips are absent.
    """
    items, how = _items(destination, settings), HOW
    root = Path(settings.media).expanduser()
    if settings.stream:
        streamed.expect_folder(settings.media)
        wanted = {item.media["video"]: item.split for item in items}
        how = streamed.lost(kinetics.stream(root, wanted))
    if settings.media:
        there = kinetics.find(root, [item.media["video"] for item in items])
        items = [_at(item, there) for item in items]
    published.take(destination, items, settings, how)


def _at(item: Item, there: Mapping[str, str]) -> Item:
    media = {column: there.get(name, name) for column, name in item.media.items()}
    return replace(item, media=media)


def _items(destination: Path, settings: Settings) -> list[Item]:
    names = {"bml": ["bml"], "ogm_ge": ["ogm-ge-train", "ogm-ge-test"]}
    items = []
    for name in names.get(settings.list, ["tcmax-train", "tcmax-test"]):
        lines = published.lines(destination, f"kinetics-sounds-{name}")
        side = name.rpartition("-")[2]
        items += parse_json(lines) if len(lines) == 1 else parse(lines, side, name)
    return items


def parse(lines: list[str], side: str, where: str) -> list[Item]:
    """Return the samples of ``id,10,number`` (no header) or ``youtube_id,label`` lines.

    Raises:
        UserError: A line is neither.
    """
    items = []
    for number, cells in enumerate(csv.reader(lines), 1):
        if number == 1 and cells == ["youtube_id", "label"]:
            continue
        try:
            label = CLASSES[int(cells[2])] if len(cells) == 3 else cells[1]
            items.append(item(cells[0], label, side))
        except (IndexError, ValueError):
            raise UserError(f"{where}: line {number}: a clip and its class expected") from None
    return items


def parse_json(lines: list[str]) -> list[Item]:
    """Return the samples of BML's list: ``{"database": {name: {"subset", "label"}}}``."""
    sides = {"training": "train", "validation": "val", "testing": "test"}
    database = json.loads("\n".join(lines))["database"]
    return [item(name, row["label"], sides[row["subset"]]) for name, row in database.items()]


def item(name: str, label: str, side: str) -> Item:
    """Return a clip by any of its spellings; the group is the video.

    Raises:
        ValueError: No such name, or no such class.
    """
    found = ID.fullmatch(name)
    if not found or label not in CLASSES:
        raise ValueError(name)
    start = int(found[2])
    sample_id = f"{found[1]}_{start:06d}_{start + 10:06d}"
    media = {"video": f"{sample_id}.mp4", "audio": f"{sample_id}.mp4"}
    return Item(sample_id, label, side, media, found[1])
