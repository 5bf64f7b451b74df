"""``nvgesture``: 25 hand gestures in a car, colour, depth and flow (Molchanov et al., CVPR 2016).

Lists of github.com/breadbread1984/R3DCNN, commit 3b16afe7: 1,050 clips of twelve people train, 482
of six others test. ``v2`` gives 23 clips (15, 8) another label than ``v1``, which has the folder's.
A recording holds more than the gesture: a list says which 80 frames are meant, from the first to
before the last. They are cut out here, without loss, so that every later stage sees only them.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Literal

from equipoise import files
from equipoise.data import owners, published
from equipoise.data.owners import Packed
from equipoise.data.published import Item
from equipoise.errors import UserError
from equipoise.media.ffmpeg import binary
from equipoise.parallel import on_all_cores

LINE = re.compile(
    r"path:\./(?P<path>Video_data/class_\d\d/(?P<group>subject\d+)_r\d+)"
    r" depth:sk_depth:(?P<depth>\d+:\d+) color:sk_color:(?P<color>\d+:\d+)"
    r" duo_left:duo_left:\d+:\d+ label:(?P<label>\d+)"
)
CAMERAS = ("color", "depth")
HOW = (
    "ask NVIDIA for the data set (research.nvidia.com, publication of June 2016; nvGesture_v1.7z "
    "in parts, about 30 GB) and unpack it with 7z, which makes the folder Video_data, or put all "
    "parts into download.media and let download.unpack do it"
)
ARCHIVES = {"nvGesture_v1.7z.001": ""}


class Settings(Packed):
    """Options under ``datasets.nvgesture.download`` of params.yaml."""

    list: Literal["v1", "v2"] = "v2"
    """Which labels; AMSS, LFM and AUG name a file of ``v2``."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/Video_data/**.mkv``; clips that are there are kept.

    Raises:
        UserError: A list cannot be fetched or read, clips are absent or too short.
    """
    items = []
    for side in ("train", "test"):
        name = f"nvgesture-{settings.list}-{side}"
        items += parse(published.lines(destination, name), side, name)
    owners.bring(items, settings, ARCHIVES, HOW)
    root, kept = published.present(destination, items, settings, HOW)
    media = destination / "media"

    def make(item: Item) -> None:
        for camera in CAMERAS:
            out = (media / item.media[camera]).with_suffix(".mkv")
            if not out.exists():
                cut(root / item.media[camera], out, item.cells[camera + "_frames"])

    on_all_cores(make, kept, "nvgesture: clips")
    published.write(destination, [replace(i, media=_cut_names(i)) for i in kept])


def _cut_names(item: Item) -> dict[str, str]:
    return {c: path.removesuffix(".avi") + ".mkv" for c, path in item.media.items()}


def parse(lines: list[str], side: str, where: str) -> list[Item]:
    """Return the samples of one list; ``color_frames`` and ``depth_frames`` hold ``first:end``.

    Raises:
        UserError: A line is not as published, or its label is none of 1 to 25.
    """
    items = []
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line.strip())
        if not found or not 1 <= int(found["label"]) <= 25:
            raise UserError(f"{where}: line {number}: path, depth, color, duo_left, label expected")
        path = found["path"]
        media = {camera: f"{path}/sk_{camera}.avi" for camera in CAMERAS}
        cells = {f"{camera}_frames": found[camera] for camera in CAMERAS}
        name = path.removeprefix("Video_data/").replace("/", "_")
        label = f"class_{int(found['label']):02d}"
        items.append(Item(name, label, side, media, found["group"], cells))
    return items


def cut(source: Path, out: Path, frames: str) -> None:
    """Write frames ``first:end`` of a video (``end`` is not among them) as FFV1 in Matroska.

    Raises:
        UserError: It cannot be decoded, or has not so many frames.
    """
    first, end = map(int, frames.split(":"))
    chosen = f"trim=start_frame={first}:end_frame={end},setpts=PTS-STARTPTS"
    with files.atomic_path(out) as temporary:
        command = [binary(), "-v", "error", "-nostdin", "-y", "-i", f"file:{source}", "-vf", chosen]
        command += [
            "-map",
            "0:v:0",
            "-fps_mode",
            "passthrough",
            "-c:v",
            "ffv1",
            "-fflags",
            "+bitexact",
        ]
        command += ["-flags:v", "+bitexact", "-progress", "pipe:1", f"file:{temporary}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        written = re.findall(r"^frame=\s*(\d+)$", done.stdout, re.MULTILINE)
        if done.returncode or not written or int(written[-1]) != end - first:
            said = (done.stderr.strip().splitlines() or ["too short"])[-1]
            raise UserError(f"{source}: frames {frames} cannot be cut out: {said}")
