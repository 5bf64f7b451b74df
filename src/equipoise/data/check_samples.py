"""Every sample of a folder, looked at as stage extract would, in processes of a pool."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from equipoise.console import progress
from equipoise.data.manifest import Manifest, Problem, Row
from equipoise.media import look as first_bytes
from equipoise.media.damage import Tolerance
from equipoise.media.errors import MediaError
from equipoise.media.pool import DecodePool
from equipoise.modalities.sample import Readers, read_sample

#: A note tells of what settings cut off from this share of a sample on.
_CUT = 0.01


@dataclass(frozen=True)
class Seen:
    """What one stored sample of a modality is like."""

    digest: bytes
    flat: bool
    """Every number is the same: silence, a black picture, no token."""
    facts: dict[str, float] = field(default_factory=dict)
    tracks: int = 1
    """Of this kind in its file."""


class Look:
    """Reads a sample and keeps what is to be known of it; runs in another process."""

    def __init__(self, how: Readers, tolerance: Tolerance | None = None) -> None:
        self._how, self._tolerance = how, tolerance

    def __call__(self, sources: Mapping[str, Path | str]) -> dict[str, Seen]:
        """Return modality to what was seen.

        Raises:
            MediaError: It cannot be read.
        """
        readings = read_sample(self._how, sources, self._tolerance)
        return {
            name: Seen(
                hashlib.blake2b(reading.array.tobytes(), digest_size=16).digest(),
                bool(reading.array.size and reading.array.min() == reading.array.max()),
                dict(reading.facts),
                reading.tracks,
            )
            for name, reading in readings.items()
        }


def glance(manifest: Manifest) -> list[Problem]:
    """Return what is wrong with files that are not there or whose first bytes are no media."""
    found = []
    for row in manifest.rows:
        missing = _missing(manifest, row)
        found += missing
        if not missing:
            for path in manifest.paths(row):
                try:
                    first_bytes.head(manifest.folder / path)
                except MediaError as error:
                    found.append(Problem(row.number, f"{path}: {error}"))
    return found


def look(
    manifest: Manifest, how: Readers, threads: int | None, tolerance: Tolerance | None = None
) -> tuple[dict[int, dict[str, Seen]], list[Problem]]:
    """Read every sample whose files are there.

    Returns:
        Row number to what was seen, and the problems.
    """
    gone = {row.number: _missing(manifest, row) for row in manifest.rows}
    rows = [row for row in manifest.rows if not gone[row.number]] if how else []
    problems = [problem for found in gone.values() for problem in found]
    seen: dict[int, dict[str, Seen]] = {}
    workers = min(threads or os.cpu_count() or 1, max(1, len(rows)))
    with progress(len(rows), "check") as bar, DecodePool(workers) as pool:
        results = pool.map(Look(how, tolerance), map(manifest.sources, rows))
        for row, result in zip(rows, results, strict=True):
            bar.advance(note=f"{len(problems)} problem(s)" if problems else "")
            if isinstance(result, MediaError):
                problems.append(Problem(row.number, f"{_where(manifest, row, result)}: {result}"))
            else:
                seen[row.number] = result
    return seen, problems


def _where(manifest: Manifest, row: Row, error: MediaError) -> str:
    """Return the file that an error is about, which it names by its modality if there are more."""
    column = manifest.modalities.get(str(error).partition(": ")[0])
    if column and not column.inline:
        return row.cells[column.name]
    return next(iter(manifest.paths(row)), row.sample_id)


def _missing(manifest: Manifest, row: Row) -> list[Problem]:
    columns = {row.cells[c.name]: c.name for c in manifest.modalities.values()}
    return [
        Problem(row.number, f"{columns[path]}: no file {path!r}")
        for path in manifest.paths(row)
        if not os.path.lexists(manifest.folder / path)
    ]


def summary(
    manifest: Manifest,
    modalities: Mapping[str, Mapping[str, Any]],
    seen: Mapping[int, Mapping[str, Seen]],
) -> tuple[list[Problem], list[str]]:
    """Judge the modalities by all of their samples: the same everywhere, cut, or flat."""
    problems, notes = [], []
    for name in manifest.modalities:
        samples = {number: found[name] for number, found in seen.items() if name in found}
        cut = cut_words([s.facts.get("cut", 0.0) for s in samples.values()])
        settings = {k: v for k, v in modalities[name].items() if k not in ("kind", "column")}
        if len(samples) > 1 and len({s.digest for s in samples.values()}) == 1:
            problems.append(Problem(None, f"modality {name!r}: {SAME}{cut and f'; {cut}'}"))
            continue
        if cut:
            notes.append(f"modality {name!r}: {cut} (its settings: {settings})")
        if narrow := narrowed_words([s.facts.get("narrowed", 0.0) for s in samples.values()]):
            notes.append(f"modality {name!r}: {narrow} (its settings: {settings})")
        if several := [number for number, one in samples.items() if one.tracks > 1]:
            notes.append(
                f"modality {name!r}: {len(several)} of {len(samples)} files have several such "
                f"tracks, first row {several[0]} ({samples[several[0]].tracks}); read is what "
                "players take: the default one, else the largest, else the first"
            )
        flat = [number for number, one in samples.items() if one.flat]
        if flat:
            notes.append(
                f"modality {name!r}: {len(flat)} of {len(samples)} samples are one value "
                f"throughout (silence, a plain picture), first row {flat[0]}"
            )
    return problems, notes


SAME = "every sample is the same, so that nothing can be learned from it"


def cut_words(cuts: Sequence[float]) -> str:
    """Say which share of the samples the settings leave out; empty where it is next to nothing."""
    if not cuts or max(cuts) < _CUT:
        return ""
    count = sum(cut >= _CUT for cut in cuts)
    return (
        f"{count} of {len(cuts)} samples are longer than what is stored: "
        f"{median(cuts):.0%} of the median one is cut off, {max(cuts):.0%} at most"
    )


def narrowed_words(shares: Sequence[float]) -> str:
    """Say that deep grey pictures are stored with 8 bits; empty where none is."""
    deep = [share for share in shares if share > 0]
    if not deep:
        return ""
    return (
        f"{len(deep)} of {len(shares)} samples are grey with more than 8 bits, and 8 are stored: "
        f"{median(deep):.0%} of the different values of the median one are lost; channels: 1 with "
        "bits: 16 keeps them, range: [low, high] says which of them matter"
    )
