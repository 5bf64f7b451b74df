"""Stage extract: raw media to the feature store, in shards, on all cores; in parts, on many nodes.

With ``extract.parts`` above 1, a job for each part makes every N-th shard, and the job without a
part joins them. It makes the shards that are missing itself: with one part, all.
"""

import hashlib
import json
import shutil
from collections import Counter
from typing import Any

from equipoise import files, layout, vouch
from equipoise.console import log
from equipoise.data.manifest import Manifest, Row
from equipoise.errors import UserError
from equipoise.extraction.decoding import REJECTS, Decoded, decode, reject_rows
from equipoise.extraction.source import Source, open_source
from equipoise.params import ExtractJob
from equipoise.stages.job import Job
from equipoise.store import extracted
from equipoise.store.features import SCHEMA_VERSION
from equipoise.store.join import Plan, join

#: Facts that are told as a warning.
_LOST = {
    "cut": "are longer than what is stored, the rest is cut off",
    "narrowed": "are grey with more than 8 bits, and 8 are stored (bits: 16 keeps all)",
}


def run(job: Job, settings: ExtractJob) -> None:
    """Decode every sample; write features.h5, rejects.csv, extract.json and samples.json.

    Rows are in the order of the manifest. A finished shard stays in the state folder until the
    stage has succeeded, so that a stage that was killed continues where it was. A job of one part
    makes its shards and a record of them, and leaves the rest to the job without a part.

    Raises:
        UserError: The manifest or a media file is missing or changed, too many clips cannot be
            decoded, a class is lost with them, the disk is full, or there is no such part.
    """
    source = open_source(job.dataset, settings)
    log.info("extract %s with %s", job.dataset, source.origin["decoder"])
    if job.part is None:
        _run_all(job, source)
    else:
        _run_part(job, job.part, source)


def _run_part(job: Job, part: int, source: Source) -> None:
    parts = source.settings.extract.parts
    if part >= parts:
        raise UserError(
            f"{job.dataset}: no part {part}: extract.parts is {parts}, the last one {parts - 1}"
        )
    _, done = decode(source, part, job.threads)
    record = {
        "dataset": job.dataset,
        "part": part,
        "parts": parts,
        "shards": len(source.numbers(part)),
        "rows": done.rows,
        "rejects": len(done.rejects),
    }
    vouch.write(layout.part(job.dataset, str(part)), record)


def _run_all(job: Job, source: Source) -> None:
    outputs = layout.features(job.dataset)
    manifest, done = decode(source, None, job.threads)
    kept = _kept(manifest, done.rejects)
    paths = [source.shard(number) for number in source.numbers()]
    join(outputs["features"], paths, _plan(source, manifest, kept))
    files.write_csv(outputs["rejects"], REJECTS, reject_rows(source, done.rejects))
    facts = extracted.summary(done.facts[number] for number in source.numbers())
    _warn_of_cuts(job.dataset, facts, len(kept))
    record = _record(source, manifest, kept, done) | {"facts": facts}
    files.write_json(outputs["samples"], extracted.samples(outputs["features"], source.readers))
    others = (outputs["features"], outputs["rejects"], outputs["samples"])
    vouch.write(outputs["record"], record, *others)
    shutil.rmtree(layout.state("extract", job.dataset))


def _warn_of_cuts(dataset: str, facts: dict[str, dict[str, float]], kept: int) -> None:
    for name, fact in facts.items():
        modality, _, what = name.rpartition(".")
        if what in _LOST and fact["clips"]:
            words = (dataset, modality, fact["clips"], kept, _LOST[what])
            log.warning("%s: %s: %d of %d clips %s (mean: %.0f %%)", *words, 100 * fact["mean"])


def _kept(manifest: Manifest, rejects: dict[int, str]) -> list[Row]:
    """Return the samples that were decoded; a class without any is an error."""
    kept = [row for number, row in enumerate(manifest.rows) if number not in rejects]
    lost = sorted(set(manifest.classes) - {row.label for row in kept})
    if lost:
        raise UserError(
            f"class {lost[0]!r}: none of its clips can be decoded, "
            f"first reason: {rejects[min(rejects)]}"
        )
    return kept


def _plan(source: Source, manifest: Manifest, kept: list[Row]) -> Plan:
    classes = manifest.classes
    labels = {name: number for number, name in enumerate(classes)}
    return Plan(
        shapes=source.shapes,
        labels=[labels[row.label] for row in kept],
        sample_ids=[row.sample_id for row in kept],
        groups=[row.group for row in kept],
        attributes={
            "schema_version": SCHEMA_VERSION,
            "dataset": source.dataset,
            "modalities": json.dumps(source.settings.modalities, sort_keys=True),
            "classes": json.dumps(classes, ensure_ascii=False),
            "extract": json.dumps(source.told, sort_keys=True),
            "extract_digest": files.digest(source.told),
            **source.origin,
        },
    )


def _record(source: Source, manifest: Manifest, kept: list[Row], done: Decoded) -> dict[str, Any]:
    rejects = len(done.rejects)
    if source.total != len(kept) + rejects:
        raise AssertionError(f"{source.total} samples in, {len(kept)} out, {rejects} rejected")
    ids = "\n".join(row.sample_id for row in kept)
    samples = Counter(row.label for row in kept)
    return {
        "dataset": source.dataset,
        "manifest_rows": source.total,
        "samples": len(kept),
        "rejects": rejects,
        "classes": {name: samples[name] for name in manifest.classes},
        "shapes": {name: list(shape) for name, (shape, _) in source.shapes.items()},
        "types": {name: kind for name, (_, kind) in source.shapes.items()},
        "settings": source.told,
        "sample_ids_sha256": hashlib.sha256(ids.encode()).hexdigest(),
        **source.origin,
    }
