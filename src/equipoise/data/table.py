"""A manifest by columns, read once in a process: what a check of a million rows can pay for.

An object for each row costs many times what reading its cells does. Here a manifest is its columns,
and is looked at as a whole. What is wrong with it, and in which row, :mod:`equipoise.data.manifest`
says, which reads it again, row by row.
"""

import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from operator import itemgetter
from pathlib import Path

from equipoise.data import manifest as manifests
from equipoise.data.manifest import REQUIRED, SUBSETS

#: A file that changed so shortly ago may change again within the same tick of its times.
RACY_NS = 2_000_000_000
#: Tables that are kept; a process looks at one or a few.
_KEPT = 4
#: Rows that are lists at the same time.
_CHUNK = 65_536

_cache: dict[tuple[object, ...], "Table"] = {}


@dataclass(frozen=True)
class Table:
    """The cells of a manifest; nobody may change them, others have the same ones."""

    columns: dict[str, list[str]]
    """Column to its cells, both in the order of the file."""

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield column to cell of each row."""
        names = list(self.columns)
        for cells in zip(*self.columns.values(), strict=True):
            yield dict(zip(names, cells, strict=True))

    def others(self) -> dict[str, list[str]]:
        """Return the columns that manifests need not have."""
        return {name: cells for name, cells in self.columns.items() if name not in REQUIRED}

    @cached_property
    def sound(self) -> bool:
        """Whether :func:`equipoise.data.manifest.scan` would find nothing wrong."""
        if not all(name in self.columns for name in REQUIRED):
            return False
        ids, *repeated = (self.columns[name] for name in REQUIRED)
        labels, splits, groups = map(set, repeated)
        return (
            len(set(ids)) == len(ids)
            and all(ids)
            and len(labels) > 1
            and all(labels)
            and splits <= {"", *SUBSETS}
            and _plain(ids)
            and _plain([*labels, *groups])
        )


def _plain(cells: list[str]) -> bool:
    return "".join(cells).isprintable() and list(map(str.strip, cells)) == cells


def read(path: Path) -> Table:
    """Return a manifest that has nothing wrong, whatever its modalities.

    Raises:
        UserError: As :func:`equipoise.data.manifest.read`.
    """
    try:
        table = parse(path)
    except (OSError, ValueError, csv.Error):
        table = Table({})
    if not table.sound:
        manifests.read(path)  # says what is wrong
        table = parse(path)  # mended in between
    return table


def parse(path: Path) -> Table:
    """Return the cells as they stand there, whatever they are.

    Raises:
        OSError: No such file, or no regular one.
        ValueError: Not UTF-8, a column twice, or rows of another length than the header.
        csv.Error: Not a table.
    """
    if not path.is_file():  # a named pipe would be waited for
        raise FileNotFoundError(path)
    status = path.stat()
    times = status.st_mtime_ns, status.st_ctime_ns
    key = (str(path.absolute()), status.st_ino, status.st_size, *times)
    if key not in _cache:
        table = _parsed(path)
        if max(times) > time.time_ns() - RACY_NS:
            return table
        while len(_cache) >= _KEPT:
            del _cache[next(iter(_cache))]
        _cache[key] = table
    return _cache[key]


def _parsed(path: Path) -> Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = filter(None, csv.reader(file, strict=True))
        header = next(lines, [])
        columns: dict[str, list[str]] = {name.strip(): [] for name in header}
        if len(columns) != len(header):
            raise ValueError(f"{path}: a column stands there twice")
        while chunk := list(islice(lines, _CHUNK)):
            if set(map(len, chunk)) != {len(header)}:
                raise ValueError(f"{path}: rows of another length than the header")
            for at, (name, cells) in enumerate(columns.items()):
                found = map(itemgetter(at), chunk)
                # Labels and groups repeat: each text once in memory.
                cells.extend(map(sys.intern, found) if name in REQUIRED[1:] else found)
    return Table(columns)
