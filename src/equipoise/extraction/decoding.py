"""Rows of the manifest to shards: those that are there are kept, the others are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from equipoise import files
from equipoise.console import Progress, log, progress
from equipoise.data.manifest import Manifest, Row
from equipoise.errors import UserError
from equipoise.extraction.source import Source, expect_media
from equipoise.media.errors import MediaError
from equipoise.media.pool import DecodePool
from equipoise.modalities.base import Reading
from equipoise.modalities.packing import NAMES, Packed, joined
from equipoise.modalities.sample import Checked, ReadChecked
from equipoise.store import shards
from equipoise.store.extracted import Facts
from equipoise.store.shards import Shard

REJECTS = ("sample_id", "path", "reason")


@dataclass
class Decoded:
    """What became of the rows of some shards."""

    rows: int = 0
    rejects: dict[int, str] = field(default_factory=dict)
    """Position in the manifest to the reason."""
    facts: dict[int, Facts] = field(default_factory=dict)
    """Number of a shard to what the settings did to its clips."""

    def add(self, source: Source, number: int, shard: Shard) -> None:
        """Count what is in a shard."""
        first = number * source.settings.extract.shard_rows
        found = zip(shard.rejected.tolist(), shard.reasons, strict=True)
        self.rejects |= {first + position: reason for position, reason in found}
        self.rows += len(shard.kept) + len(shard.rejected)
        self.facts[number] = Facts.of(len(shard.kept), shard.facts)


def decode(source: Source, part: int | None, threads: int) -> tuple[Manifest, Decoded]:
    """Have all shards of one part, or of all, on disk.

    Every finished shard is read first. Only then the manifest is, with the cells of those rows
    that are still to be decoded.

    Args:
        source: What is extracted.
        part: Which part, or None.
        threads: Processes that decode.

    Returns:
        The manifest, with cells in few of its rows; and what became of the rows.

    Raises:
        UserError: A media file is missing or changed, too many clips cannot be decoded, or shards
            are there that other libraries decoded.
    """
    done, missing = Decoded(), []
    told_of = {f"{name}.{fact}" for name, one in source.readers.items() for fact in one.facts}
    for number in source.numbers(part):
        shard = shards.read(*source.shard(number), source.shapes, source.origin["decoder"])
        if shard is None or set(shard.facts) != told_of:  # of another version of this program
            missing.append(number)
        else:
            done.add(source, number, shard)
    size, wanted = source.settings.extract.shard_rows, frozenset(missing)
    manifest = source.manifest(lambda row: row // size in wanted)
    if part is None and missing and source.settings.extract.parts > 1:
        told = (source.dataset, len(missing), len(source.numbers()))
        log.warning("%s: %d of %d shards were made by no part; they are made here", *told)
    if source.total != len(manifest.rows):
        raise AssertionError(f"{source.total} rows counted, {len(manifest.rows)} read")
    rows = [row for number in missing for row in _positions(source, number)]
    checksums = expect_media(source, manifest, rows)
    _expect_few(source, done, part)
    with progress(done.rows + len(rows), "extract") as bar, DecodePool(threads) as pool:
        bar.advance(done.rows)
        for number in missing:
            some = [manifest.rows[row] for row in _positions(source, number)]
            shard = _decode(source, manifest, checksums, some, pool, bar)
            shards.write(source.shard(number)[0], shard)
            done.add(source, number, shard)
            _expect_few(source, done, part)
    return manifest, done


def _positions(source: Source, number: int) -> range:
    first = number * source.settings.extract.shard_rows
    return range(first, first + source.shard(number)[1])


def _decode(
    source: Source,
    manifest: Manifest,
    checksums: dict[str, str],
    rows: list[Row],
    pool: DecodePool,
    bar: Progress,
) -> Shard:
    def sample(row: Row) -> Checked:
        sums = {str(manifest.folder / name): checksums[name] for name in manifest.paths(row)}
        return Checked(manifest.sources(row), sums)

    made = _Made(source, len(rows))
    read = ReadChecked(source.readers, source.settings.extract.tolerance)
    for position, result in enumerate(pool.map(read, map(sample, rows))):
        if isinstance(result, MediaError):
            made.reasons[position] = str(result)
        else:
            made.keep(position, result)
        bar.advance(note=f"{len(made.reasons)} rejected" if made.reasons else "")
    return made.shard(source)


class _Made:
    """What became of the rows of one shard, while they are decoded.

    Args:
        source: What is extracted.
        count: Rows of the shard.
    """

    def __init__(self, source: Source, count: int) -> None:
        self.reasons: dict[int, str] = {}
        self._kept: list[int] = []
        self._facts: dict[str, list[float]] = {
            f"{name}.{fact}": [] for name, one in source.readers.items() for fact in one.facts
        }
        self._packed: dict[str, list[Packed]] = {
            name: [] for name, (_, how) in source.shapes.items() if how in NAMES
        }
        self._arrays = {
            name: np.empty((count, *shape), kind)
            for name, (shape, kind) in source.shapes.items()
            if name not in self._packed
        }

    def keep(self, position: int, sample: Mapping[str, Reading]) -> None:
        """Add a decoded sample, modality to what was read."""
        for name, reading in sample.items():
            if reading.packed is None:
                self._arrays[name][len(self._kept)] = reading.array
            else:
                self._packed[name].append(reading.packed)
            for fact, value in reading.facts.items():
                self._facts[f"{name}.{fact}"].append(value)
        self._kept.append(position)

    def shard(self, source: Source) -> Shard:
        """Return all of it."""
        return Shard(
            np.array(self._kept, np.int64),
            {name: array[: len(self._kept)] for name, array in self._arrays.items()},
            np.array(list(self.reasons), np.int64),
            list(self.reasons.values()),
            source.origin["decoder"],
            {name: np.array(values, np.float32) for name, values in self._facts.items()},
            {name: joined(some, source.shapes[name][0]) for name, some in self._packed.items()},
        )


def _expect_few(source: Source, done: Decoded, part: int | None) -> None:
    """Refuse to go on when more clips were rejected than may be, of all that there are."""
    limit = source.settings.extract.max_reject_fraction
    if len(done.rejects) <= limit * source.total:
        return
    listing = source.scratch / f"rejects{'' if part is None else part}.csv"
    files.write_csv(listing, REJECTS, reject_rows(source, done.rejects))
    first = next(reject_rows(source, done.rejects))
    raise UserError(
        f"{len(done.rejects)} of {source.total} clips cannot be decoded so far, more than "
        f"extract.max_reject_fraction {limit:g} allows; first {first['path']}: "
        f"{first['reason']}; see {listing}"
    )


def reject_rows(source: Source, rejects: dict[int, str]) -> Iterator[dict[str, str]]:
    """Yield the rows of rejects.csv, in the order of the manifest."""
    if not rejects:
        return
    manifest = source.manifest(rejects.__contains__)
    for position in sorted(rejects):
        row = manifest.rows[position]
        paths = ";".join(manifest.paths(row))
        yield {"sample_id": row.sample_id, "path": paths, "reason": rejects[position]}
