"""The samples of a data set as they are audited, and what they can be compared by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.audit import near
from equipoise.data.manifest import Manifest, Row
from equipoise.modalities.base import Trace
from equipoise.registry import LeftOut

#: Names of at most so many samples are listed with a finding; its counts are of all.
LISTED = 1000
#: Clips of YouTube are called by the 11 letters of the video and the second where they start.
_YOUTUBE = re.compile(r"(?![A-Za-z][a-z]+_)([\w-]{11})_\d+(?:_\d+)?")


@dataclass(frozen=True)
class Samples:
    """All samples that were kept, row by row, and what is known of the others."""

    dataset: str
    manifest: Manifest
    rows: list[Row]
    """Kept, in the order of the manifest."""
    sides: list[str]
    """Subset of each of them."""
    checksums: Mapping[str, str]
    """Path in the manifest to sha256; a file that no other can be the same as may be missing."""
    traces: Mapping[str, list[Trace]]
    """Modality to the trace of each kept row."""
    things: Mapping[str, str]
    """Modality to what its samples are called."""
    cuts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """``<modality>.<fact>`` to ``clips``, ``mean``, ``most`` and ``rows``: what is cut off."""
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    """Modality to what the augmentation leaves out of every sample, to its shares."""
    rejects: Mapping[str, str] = field(default_factory=dict)
    """Sample that cannot be read, to the reason."""
    official: bool = False
    """The sides are those of the manifest."""


@dataclass(frozen=True)
class Comparison:
    """One way in which samples can be the same."""

    by: str
    """``bytes``, ``content``, ``source`` or ``group``."""
    modality: str
    """Empty: of the sample as a whole."""
    things: str
    """What is compared, many of them: texts, files of audio."""
    keys: Sequence[str]
    """For each sample; equal: the same. Empty: there is nothing to compare."""


def comparisons(samples: Samples) -> list[Comparison]:
    """Return every way in which samples of this data set can be the same."""
    found = []
    for column, names in _file_columns(samples.manifest).items():
        sums = [samples.checksums.get(row.cells[column], "") for row in samples.rows]
        found.append(Comparison("bytes", "+".join(names), f"{column} files", sums))
    for name, traces in samples.traces.items():
        things = samples.things[name]
        alike = [n for n, other in samples.things.items() if other == things]
        things = f"{things} ({name})" if len(alike) > 1 else things
        found.append(Comparison("content", name, things, near.keys(traces)))
    for column, names in _file_columns(samples.manifest).items():
        videos = [_source(row.cells[column]) for row in samples.rows]
        if any(videos):
            found.append(Comparison("source", "+".join(names), "source videos", videos))
    groups = [row.group for row in samples.rows]
    return [*found, Comparison("group", "", "groups", groups)] if any(groups) else found


def items(samples: Samples) -> list[str]:
    """Return a key for each sample as a whole: the bytes of its files and its texts."""
    names = samples.manifest.modalities
    columns = {column.name: name for name, column in reversed(names.items())}
    return [
        repr([_part(samples, number, column, name) for column, name in columns.items()])
        for number in range(len(samples.rows))
    ]


def _part(samples: Samples, number: int, column: str, name: str) -> str:
    cell = samples.rows[number].cells[column]
    if samples.manifest.modalities[name].inline:
        return samples.traces[name][number].same if name in samples.traces else cell
    return samples.checksums.get(cell, cell)


def _file_columns(manifest: Manifest) -> dict[str, list[str]]:
    """Return column to modalities, of columns that name files."""
    found: dict[str, list[str]] = {}
    for name, column in manifest.modalities.items():
        if not column.inline:
            found.setdefault(column.name, []).append(name)
    return found


def _source(path: str) -> str:
    found = _YOUTUBE.fullmatch(Path(path).stem)
    return found[1] if found else ""
