"""Flow that another program has computed: arrays, or pairs of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.media.errors import MediaError
from equipoise.media.wants import left_out
from equipoise.modalities import pictures
from equipoise.modalities.arrays import arranged, load
from equipoise.modalities.flow import Settings
from equipoise.modalities.picks import array_pick
from equipoise.modalities.suffixes import STILLS

Flows = NDArray[np.float32]


def read(path: Path, settings: Settings) -> tuple[Flows, int, float]:
    """Return the picked flows (F, H, W, 2), in pixels of their size.

    Also how many there are, and the share of their area that ``fit: crop`` leaves out.

    Raises:
        MediaError: Not readable, or not two numbers for each place.
    """
    if path.is_dir() or path.suffix.lower() in STILLS:
        files = horizontal(path, settings)
        chosen = array_pick(settings.pick, len(files), settings.rate)
        pairs = [picture_pair(files[i], settings) for i in chosen]
        out = max(left_out(pair.shape[:2], settings.size, settings.fit) for pair in pairs)
        return np.stack([_scaled(pair, settings) for pair in pairs]), len(files), out
    array = arranged(load(path, settings.key), settings.axes, "thwc")
    if array.shape[-1] != 2 or 0 in array.shape:
        raise MediaError(f"a flow has two channels and no empty axis; this one is {array.shape}")
    chosen = array_pick(settings.pick, len(array), settings.rate)
    out = left_out(array.shape[1:3], settings.size, settings.fit)
    return np.stack([_scaled(array[i], settings) for i in chosen]), len(array), out


def horizontal(path: Path, settings: Settings) -> list[Path]:
    """Return the horizontal pictures: the file itself, or those of a folder by name."""
    mark = settings.pair[0]
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [file for file in inside if mark in file.name and file.suffix.lower() in STILLS]
    if not found:
        raise MediaError(f"no picture named ...{mark}...; say pair: [HORIZONTAL, VERTICAL]")
    return found


def picture_pair(file: Path, settings: Settings) -> Flows:
    """Return the flow (H, W, 2) of a horizontal picture and the vertical one beside it."""
    from PIL import Image

    across, down = settings.pair
    parts = []
    for path in (file, file.with_name(file.name.replace(across, down, 1))):
        try:
            with Image.open(path) as picture:
                parts.append(np.asarray(picture.convert("L"), np.float32))
        except Exception as error:  # Pillow's readers of broken files raise anything
            reason = " ".join(str(error).split())
            raise MediaError(f"{path.name} cannot be read as a picture: {reason}") from None
    if parts[0].shape != parts[1].shape:
        raise MediaError(f"{file.name} and its vertical picture differ in size")
    values = np.stack(parts, axis=-1) * (2 * settings.coded / 255) - settings.coded
    return np.asarray(values, np.float32)


def _scaled(flow: NDArray[np.generic], settings: Settings) -> Flows:
    """Scale the picture, and the vectors with it."""
    height, width = flow.shape[:2]
    factor = np.array([settings.size[1] / width, settings.size[0] / height], np.float32)
    if settings.fit == "crop":
        factor[:] = factor.max()
    return pictures.scaled(flow, settings.size, settings.fit) * factor
