"""A user's folder is an input: what it holds now, and whether that is what stage download took.

Snakemake compares :func:`digest` among the params of rule download; DVC compares the file that
``workflow/scripts/origin.py`` writes of it, and ``equipoise verify`` asks :func:`changes`.
Manifests are compared by content. Media are compared by size and times, and by content where these
differ from what was noted when the content was last read.
"""

from __future__ import annotations

import contextlib
import csv
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise import files, layout
from equipoise.data import folder as folders
from equipoise.errors import UserError
from equipoise.parallel import on_all_cores

#: A file that changed this shortly before it was read may change again within the same tick.
_RACY_NS = 2_000_000_000
_MISSING = "missing"


def digest(dataset: str, download: Mapping[str, Any]) -> str:
    """Return what a data set's folder holds, as one checksum.

    Args:
        dataset: Its name.
        download: Its options; without ``folder`` there is nothing to compare, and the same text
            comes back always.

    Returns:
        The digest of the manifest and of the content of all media; where the folder is not there
        (results of another machine), that of what stage download once took.
    """
    if "folder" not in download:
        return ""
    folder = Path(str(download["folder"])).expanduser()
    if not folder.is_dir():
        return _recorded(dataset)
    try:
        taken = folders.take(folder)
    except (UserError, OSError, ValueError, csv.Error):  # the stage says what is wrong
        manifest = folder / "manifest.csv"
        return f"cannot be used: {files.sha256(manifest) if manifest.is_file() else _MISSING}"
    sums = _checksums(dataset, taken.media)
    return files.digest([taken.header, taken.rows, sums])


def changes(dataset: str, download: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """Return each file of a data set that is no longer as in the user's folder, and how.

    Raises:
        UserError: The folder is there, but cannot be used any more.
    """
    folder, raw = Path(str(download.get("folder", ""))).expanduser(), layout.raw(dataset)
    if "folder" not in download or not folder.is_dir() or not raw["checksums"].is_file():
        return []
    taken = folders.take(folder)
    sums = _checksums(dataset, taken.media)
    try:
        recorded = files.read_sha256(raw["checksums"])
        same = folders.read_table(raw["manifest"]) == (taken.header, taken.rows)
    except (OSError, ValueError, csv.Error):
        return []  # damaged: said elsewhere
    found = [] if same else [(raw["manifest"], f"no longer as in {folder / 'manifest.csv'}")]
    for name, original in taken.media.items():
        if name in recorded and recorded[name] != sums[name]:
            found.append((raw["manifest"].parent / name, f"{original} has changed since"))
    return found


def _recorded(dataset: str) -> str:
    raw = layout.raw(dataset)
    try:
        header, rows = folders.read_table(raw["manifest"])
        return files.digest([header, rows, files.read_sha256(raw["checksums"])])
    except (OSError, ValueError, csv.Error):
        return _MISSING


def _checksums(dataset: str, media: Mapping[str, Path]) -> dict[str, str]:
    """Return the sha256 of every file; those as large and as old as noted are not read again."""
    notes = layout.state("download", dataset, "origin.json")
    noted = _read(notes)
    stamps = {name: _stamp(path) for name, path in media.items()}
    stale = [name for name in media if noted.get(name, [None])[0] != stamps[name]]
    if stale:
        begun = time.time_ns()
        sums = on_all_cores(lambda name: _sha256(media[name]), stale, f"{dataset}: sha256")
        fresh = {n: [stamps[n], s] for n, s in zip(stale, sums, strict=True)}
        noted = {name: fresh.get(name) or noted[name] for name in media}
        settled = {name: note for name, note in noted.items() if _settled(note[0], begun)}
        with contextlib.suppress(OSError):  # costs time, not the answer
            files.write_json(notes, settled)
    return {name: str(noted[name][1]) for name in media}


def _read(notes: Path) -> dict[str, list[Any]]:
    try:
        noted = dict(json.loads(notes.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
    return {k: v for k, v in noted.items() if isinstance(v, list) and len(v) == 2}


def _stamp(path: Path) -> list[int]:
    """Return size and times in ns: of the content and, as copies keep that one, of the inode."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _settled(stamp: list[int], begun: int) -> bool:
    return bool(stamp) and max(stamp[1:]) < begun - _RACY_NS


def _sha256(path: Path) -> str:
    try:
        return files.sha256(path)
    except OSError:
        return _MISSING
