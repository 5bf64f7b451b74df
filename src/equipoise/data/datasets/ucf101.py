"""``ucf101``: 101 human actions in 13,320 clips (Soomro, Zamir, Shah, 2012), colour and flow.

The authors' three splits, as in github.com/okankop/Efficient-3DCNNs, commit 9db09f62 (copies with
``HandStandPushups`` for the folder ``HandstandPushups`` do not find 128 clips). The group is the
source video: no split has one on two sides. Flow is computed from the pictures by kind ``flow``;
most clips are AVI with packed B-frames, sound is in 51 classes only and is not used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from equipoise.data import owners, published
from equipoise.data.owners import Packed
from equipoise.data.published import Item
from equipoise.errors import UserError

HOW = (
    "the clips are UCF101.rar (6.9 GB) of crcv.ucf.edu/data/UCF101.php: unpack it with unrar, "
    "which makes the folder UCF-101, or put it into download.media and let download.unpack do it"
)
ARCHIVES = {"UCF101.rar": "ucf101-videos"}


class Settings(Packed):
    """Options under ``datasets.ucf101.download`` of params.yaml."""

    split: Literal[1, 2, 3] = 1
    """Which of the three splits."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/<Class>/*.avi`` (links to your clips).

    Raises:
        UserError: A list cannot be fetched or read, or clips are absent.
    """
    classes = numbers(published.lines(destination, "ucf101-classind"))
    items = []
    for side in ("train", "test"):
        name = f"ucf101-{side}list0{settings.split}"
        items += parse(published.lines(destination, name), side, classes, name)
    owners.bring(items, settings, ARCHIVES, HOW)
    published.take(destination, items, settings, HOW)


def numbers(lines: list[str]) -> dict[str, str]:
    """Return class to its number, from lines ``1 ApplyEyeMakeup``.

    Numbers follow the alphabet without regard to case; stage extract sorts with regard to it, so
    that Hammering and HammerThrow, JumpingJack and JumpRope change places.
    """
    pairs = [line.split() for line in lines if line.strip()]
    return {name: number for number, name in pairs}


def parse(lines: list[str], side: str, classes: dict[str, str], where: str) -> list[Item]:
    """Return the samples of one list: ``Class/v_Class_g01_c01.avi``, with a number or without.

    Raises:
        UserError: A line is no such clip, of no known class, or its number is another's.
    """
    items = []
    for number, line in enumerate(lines, 1):
        path, *label = line.split() or [""]
        folder, _, file = path.partition("/")
        parts = file.removesuffix(".avi").split("_")
        if len(parts) != 4 or folder not in classes or label not in ([], [classes[folder]]):
            raise UserError(f"{where}: line {number}: {line!r} is no clip of a known class")
        group = f"{folder}_{parts[2]}"
        items.append(Item(file.removesuffix(".avi"), folder, side, {"video": path}, group))
    return items
