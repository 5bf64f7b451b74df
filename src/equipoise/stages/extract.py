"""Stage extract: raw media to the feature store, in shards, on all cores."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import files, layout, registry, vouch
from equipoise.console import Progress, log, progress
from equipoise.data import manifest as manifests
from equipoise.data.manifest import Column, Manifest, Row
from equipoise.errors import UserError
from equipoise.media.errors import MediaError
from equipoise.media.pool import DecodePool
from equipoise.media.version import decoder
from equipoise.modalities.base import Reader, identities, readers
from equipoise.modalities.sample import Checked, ReadChecked
from equipoise.params import ExtractJob
from equipoise.stages.job import Job
from equipoise.store import extracted, shards
from equipoise.store.features import SCHEMA_VERSION
from equipoise.store.join import Plan, join
from equipoise.store.shards import Shard

REJECTS = ("sample_id", "path", "reason")
#: Facts that are told as a warning.
_LOST = {
    "cut": "are longer than what is stored, the rest is cut off",
    "narrowed": "are grey with more than 8 bits, and 8 are stored (bits: 16 keeps all)",
}


@dataclass(frozen=True)
class _Source:
    """What is extracted, and the checksums that the media must have."""

    manifest: Manifest
    checksums: dict[str, str]
    settings: ExtractJob
    readers: dict[str, Reader[Any]]

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Modality to the shape of one sample and the type of its numbers."""
        stored = {name: reader.stored() for name, reader in self.readers.items()}
        return {name: (kind.shape, kind.dtype) for name, kind in stored.items()}

    @property
    def parts(self) -> list[list[Row]]:
        rows, size = self.manifest.rows, self.settings.extract.shard_rows
        return [rows[start : start + size] for start in range(0, len(rows), size)]


def run(job: Job, settings: ExtractJob) -> None:
    """Decode every sample; write features.h5, rejects.csv, extract.json and samples.json.

    Rows are in the order of the manifest. A finished shard stays in the state folder until the
    stage has succeeded, so that a stage that was killed continues where it was.

    Raises:
        UserError: The manifest or a media file is missing or changed, too many clips cannot be
            decoded, a class is lost with them, or the disk is full.
    """
    raw, outputs = layout.raw(job.dataset), layout.features(job.dataset)
    checksums = _checksums(raw["checksums"])
    columns = {
        name: Column(table["column"], registry.is_inline(table))
        for name, table in settings.modalities.items()
    }
    manifest = manifests.read(raw["manifest"], columns)
    source = _Source(manifest, checksums, settings, readers(settings.modalities))
    _check_media(source, raw["manifest"])
    origin = {
        "manifest_sha256": files.sha256(raw["manifest"]),
        "media_sha256": files.sha256(raw["checksums"]),
    }
    state = layout.state("extract", job.dataset)
    scratch = state / files.digest([settings.model_dump(mode="json"), origin])
    origin["decoder"] = decoder()
    origin["identity"] = identities(source.readers)
    log.info("extract %s with %s", job.dataset, origin["decoder"])
    rejects = _decode_all(source, scratch, job.threads)
    kept = _kept(source, rejects)
    paths = [(_shard(scratch, number), len(part)) for number, part in enumerate(source.parts)]
    join(outputs["features"], paths, _plan(job.dataset, source, kept, origin))
    files.write_csv(outputs["rejects"], REJECTS, _reject_rows(source, rejects))
    facts = extracted.facts(
        shards.read(path, rows, source.shapes, decoder()) for path, rows in paths
    )
    for name, fact in facts.items():
        modality, _, what = name.rpartition(".")
        if what in _LOST and fact["clips"]:
            words = (job.dataset, modality, fact["clips"], len(kept), _LOST[what])
            log.warning("%s: %s: %d of %d clips %s (mean: %.0f %%)", *words, 100 * fact["mean"])
    record = _record(job.dataset, source, kept, rejects, origin) | {"facts": facts}
    files.write_json(outputs["samples"], extracted.samples(outputs["features"], source.readers))
    others = (outputs["features"], outputs["rejects"], outputs["samples"])
    files.write_json(outputs["record"], record | {vouch.KEY: vouch.of(*others)})
    shutil.rmtree(state)


def _checksums(path: Path) -> dict[str, str]:
    try:
        return files.read_sha256(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run stage download first") from None


def _check_media(source: _Source, path: Path) -> None:
    """Refuse a manifest that names files which are not there or were never downloaded."""
    folder = source.manifest.folder
    missing = [
        f"row {row.number}: {name!r}"
        for row in source.manifest.rows
        for name in source.manifest.paths(row)
        if name not in source.checksums or not (folder / name).is_file()
    ]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} media file(s) are missing, first {missing[0]}; "
            "run stage download again"
        )


def _shard(scratch: Path, number: int) -> Path:
    return scratch / f"{number:06d}.npz"


def _decode_all(source: _Source, scratch: Path, threads: int) -> dict[int, str]:
    """Make every shard that is not there yet; return position in the manifest to reject reason."""
    rejects: dict[int, str] = {}
    total = len(source.manifest.rows)
    first = 0
    with progress(total, "extract") as bar, DecodePool(threads) as pool:
        for number, rows in enumerate(source.parts):
            path = _shard(scratch, number)
            shard = shards.read(path, len(rows), source.shapes, decoder())
            if shard is None:
                shard = _decode(source, rows, pool, bar)
                shards.write(path, shard)
            else:
                bar.advance(len(rows))
            found = zip(shard.rejected.tolist(), shard.reasons, strict=True)
            rejects |= {first + position: reason for position, reason in found}
            first += len(rows)
            _check_rejects(source, rejects, scratch)
    return rejects


def _decode(source: _Source, rows: list[Row], pool: DecodePool, bar: Progress) -> Shard:
    def sample(row: Row) -> Checked:
        paths = source.manifest.paths(row)
        sums = {str(source.manifest.folder / name): source.checksums[name] for name in paths}
        return Checked(source.manifest.sources(row), sums)

    kept: list[int] = []
    facts: dict[str, list[float]] = {
        f"{name}.{fact}": [] for name, reader in source.readers.items() for fact in reader.facts
    }
    reasons: dict[int, str] = {}
    arrays = {
        name: np.empty((len(rows), *shape), kind) for name, (shape, kind) in source.shapes.items()
    }
    for position, result in enumerate(pool.map(ReadChecked(source.readers), map(sample, rows))):
        if isinstance(result, MediaError):
            reasons[position] = str(result)
        else:
            for name, reading in result.items():
                arrays[name][len(kept)] = reading.array
                for fact, value in reading.facts.items():
                    facts[f"{name}.{fact}"].append(value)
            kept.append(position)
        bar.advance(note=f"{len(reasons)} rejected" if reasons else "")
    return Shard(
        np.array(kept, np.int64),
        {name: array[: len(kept)] for name, array in arrays.items()},
        np.array(list(reasons), np.int64),
        list(reasons.values()),
        decoder(),
        {name: np.array(values, np.float32) for name, values in facts.items()},
    )


def _check_rejects(source: _Source, rejects: dict[int, str], scratch: Path) -> None:
    total, limit = len(source.manifest.rows), source.settings.extract.max_reject_fraction
    if len(rejects) > limit * total:
        listing = scratch / "rejects.csv"
        files.write_csv(listing, REJECTS, _reject_rows(source, rejects))
        first = next(_reject_rows(source, rejects))
        raise UserError(
            f"{len(rejects)} of {total} clips cannot be decoded so far, more than "
            f"extract.max_reject_fraction {limit:g} allows; first {first['path']}: "
            f"{first['reason']}; see {listing}"
        )


def _reject_rows(source: _Source, rejects: dict[int, str]) -> Iterator[dict[str, str]]:
    for position, reason in rejects.items():
        row = source.manifest.rows[position]
        paths = ";".join(source.manifest.paths(row))
        yield {"sample_id": row.sample_id, "path": paths, "reason": reason}


def _kept(source: _Source, rejects: dict[int, str]) -> list[Row]:
    """Return the samples that were decoded; a class without any is an error."""
    kept = [row for number, row in enumerate(source.manifest.rows) if number not in rejects]
    lost = sorted(set(source.manifest.classes) - {row.label for row in kept})
    if lost:
        raise UserError(
            f"class {lost[0]!r}: none of its clips can be decoded, "
            f"first reason: {next(iter(rejects.values()))}"
        )
    return kept


def _plan(dataset: str, source: _Source, kept: list[Row], origin: dict[str, str]) -> Plan:
    classes = source.manifest.classes
    labels = {name: number for number, name in enumerate(classes)}
    settings = source.settings.model_dump(mode="json")
    return Plan(
        shapes=source.shapes,
        labels=[labels[row.label] for row in kept],
        sample_ids=[row.sample_id for row in kept],
        groups=[row.group for row in kept],
        attributes={
            "schema_version": SCHEMA_VERSION,
            "dataset": dataset,
            "modalities": json.dumps(source.settings.modalities, sort_keys=True),
            "classes": json.dumps(classes, ensure_ascii=False),
            "extract": json.dumps(settings, sort_keys=True),
            "extract_digest": files.digest(settings),
            **origin,
        },
    )


def _record(
    dataset: str, source: _Source, kept: list[Row], rejects: dict[int, str], origin: dict[str, str]
) -> dict[str, Any]:
    total = len(source.manifest.rows)
    if total != len(kept) + len(rejects):
        raise AssertionError(f"{total} samples in, {len(kept)} out, {len(rejects)} rejected")
    ids = "\n".join(row.sample_id for row in kept)
    return {
        "dataset": dataset,
        "manifest_rows": total,
        "samples": len(kept),
        "rejects": len(rejects),
        "classes": {
            name: sum(row.label == name for row in kept) for name in source.manifest.classes
        },
        "shapes": {name: list(shape) for name, (shape, _) in source.shapes.items()},
        "types": {name: kind for name, (_, kind) in source.shapes.items()},
        "settings": source.settings.model_dump(mode="json"),
        "sample_ids_sha256": hashlib.sha256(ids.encode()).hexdigest(),
        **origin,
    }
