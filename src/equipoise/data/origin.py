"""A user's folder is an input: what it holds now, and whether that is what stage download took.

Snakemake compares :func:`digest` among the params of rule download; DVC compares the file that
``workflow/scripts/origin.py`` writes of it, and ``equipoise verify`` asks :func:`changes`.
Manifests are compared by content. Media are compared by size and times, and by content where these
differ from what was noted when the content was last read.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise import files, layout
from equipoise.data import folder as folders
from equipoise.data import table as tables
from equipoise.data.table import RACY_NS, Table
from equipoise.errors import UserError
from equipoise.parallel import on_all_cores

_MISSING = "missing"
#: Files that are read by one call, as they may be small.
_BATCH = 64


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
    sums = _checksums(dataset, taken)
    return _digest(taken.table, sums)


def changes(dataset: str, download: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """Return each file of a data set that is no longer as in the user's folder, and how.

    Raises:
        UserError: The folder is there, but cannot be used any more.
    """
    folder, raw = Path(str(download.get("folder", ""))).expanduser(), layout.raw(dataset)
    if "folder" not in download or not folder.is_dir() or not raw["checksums"].is_file():
        return []
    taken = folders.take(folder)
    sums = _checksums(dataset, taken)
    try:
        recorded = files.read_sha256(raw["checksums"])
        same = _listed(tables.parse(raw["manifest"])) == _listed(taken.table)
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
        return _digest(tables.parse(raw["manifest"]), files.read_sha256(raw["checksums"]))
    except (OSError, ValueError, csv.Error):
        return _MISSING


def _listed(table: Table) -> list[tuple[str, list[str]]]:
    """Return columns and cells in order."""
    return list(table.columns.items())


def _digest(table: Table, sums: Mapping[str, str]) -> str:
    """Return 16 hexadecimal digits; by columns, as one text of a million rows is too long."""
    names = sorted(sums)
    found = hashlib.sha256()
    for values in (*_listed(table), names, [sums[name] for name in names]):
        found.update(json.dumps(values).encode())
    return found.hexdigest()[:16]


def _checksums(dataset: str, taken: folders.Taken) -> dict[str, str]:
    """Return the sha256 of every file; those as large and as old as noted are not read again."""
    notes = layout.state("download", dataset, "origin.json")
    noted, stamps = _read(notes), taken.stamps
    stale = [n for n, stamp in stamps.items() if noted.get(n, "").rpartition(" ")[0] != stamp]
    if stale:
        begun = time.time_ns()
        paths = [taken.media[name] for name in stale]
        sums = on_all_cores(_sha256, paths, f"{dataset}: sha256", batch=_BATCH)
        fresh = {n: f"{stamps[n]} {s}" for n, s in zip(stale, sums, strict=True)}
        noted = {name: fresh.get(name) or noted[name] for name in stamps}
        settled = {name: note for name, note in noted.items() if _settled(note, begun)}
        with contextlib.suppress(OSError):  # costs time, not the answer
            files.write_text(notes, json.dumps(settled))
    return {name: noted[name].rpartition(" ")[2] for name in stamps}


def _read(notes: Path) -> dict[str, str]:
    """Return path to its stamp and sha256, as text."""
    try:
        noted = dict(json.loads(notes.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
    return {name: note for name, note in noted.items() if isinstance(note, str)}


def _settled(note: str, begun: int) -> bool:
    _, changed, moved, _ = note.split(" ")
    return max(int(changed), int(moved)) < begun - RACY_NS


def _sha256(path: str) -> str:
    try:
        return files.sha256(path)
    except OSError:
        return _MISSING
