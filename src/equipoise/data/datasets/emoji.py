"""``emoji``: pictures of emoji with their names, in eight categories: a small image-text set.

Twitter's drawings (Twemoji, CC BY 4.0) in the package ``emoji-datasource-twitter`` of the npm
registry (its data: MIT), fetched by the program npm or taken from a mirror. The text is the Unicode
name. Left out are flags, whose names say "flag", and skin tones, of which there are five.

It is no benchmark: names and categories are by the same people, and some names hold the word of
their category. What it is for is to run pictures and texts through pretrained encoders on real
data.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from equipoise import files
from equipoise.console import log
from equipoise.errors import UserError
from equipoise.places import MIRROR
from equipoise.section import Section

PACKAGE, VERSION = "emoji-datasource-twitter", "16.0.0"
ARCHIVE = f"{PACKAGE}-{VERSION}.tgz"
SHA256 = "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877"
LEFT_OUT = ("Component", "Flags")
HEADER = ("sample_id", "label", "split", "group", "image", "name")


class Settings(Section):
    """Options under ``datasets.emoji.download`` of params.yaml."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/*.png``.

    What was fetched stays in ``destination/sources``, which is no part of the data set.

    Raises:
        UserError: The package cannot be had or is not what it should be.
    """
    archive = _archive(destination / "sources")
    media = destination / "media"
    media.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        listed = json.loads(_member(tar, "package/emoji.json"))
        kept = [e for e in listed if e["category"] not in LEFT_OUT and e["has_img_twitter"]]
        wanted = {f"package/img/twitter/64/{entry['image']}" for entry in kept}
        # Names are compared, never joined to a path: nothing is written where the archive says.
        for entry in tar:
            if entry.name in wanted and entry.isfile():
                _write(media / Path(entry.name).name, tar, entry)
    kept.sort(key=lambda entry: int(entry["sort_order"]))
    files.write_csv(destination / "manifest.csv", HEADER, map(_row, kept))


def _row(entry: dict[str, Any]) -> dict[str, str]:
    sample_id = entry["image"].removesuffix(".png")
    values = (sample_id, entry["category"], "", "", f"media/{entry['image']}")
    return dict(zip(HEADER, (*values, entry["name"].lower()), strict=True))


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise UserError(f"{ARCHIVE}: {name} is no file; delete the archive and run again")
    return file.read()


def _write(path: Path, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
    file = tar.extractfile(entry)
    if file is not None:
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(file.read())


def _archive(folder: Path) -> Path:
    """Return the archive, from an earlier run, the mirror or npm; its bytes are checked.

    Raises:
        UserError: It cannot be had, or is another.
    """
    path = folder / ARCHIVE
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        mirror = os.environ.get(MIRROR)
        kept = Path(mirror).expanduser() / "npm" / ARCHIVE if mirror else None
        if kept and kept.is_file():
            with files.atomic_path(path) as temporary:
                shutil.copyfile(kept, temporary)
        else:
            _npm_pack(folder)
    if (found := files.sha256(path)) != SHA256:
        path.unlink()
        raise UserError(f"{path}: sha256 {found}, not {SHA256}; it was deleted, run again")
    return path


def _npm_pack(folder: Path) -> None:
    place = f"${MIRROR}/npm/{ARCHIVE}"
    log.info("emoji: npm pack %s@%s", PACKAGE, VERSION)
    try:
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(
            f"emoji: the program npm is not here; install it, or put {ARCHIVE} at {place}"
        ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"emoji: npm pack failed ({last}); or put {ARCHIVE} at {place}")
