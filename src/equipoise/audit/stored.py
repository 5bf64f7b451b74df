"""The samples of a data set of the project: what stages download, extract and split wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from equipoise import files, layout, registry, vouch
from equipoise.audit.faults import CUTS
from equipoise.audit.samples import Samples
from equipoise.console import progress
from equipoise.data import manifest as manifests
from equipoise.data.manifest import Manifest, Row
from equipoise.data.proposal import columns_of
from equipoise.errors import UserError
from equipoise.media.errors import MediaError
from equipoise.modalities.base import Reader, Trace, readers
from equipoise.store.features import FeatureStore

#: Bytes of samples that are read at once.
_SLAB = 32 << 20


def stored(dataset: str, augment: Mapping[str, Mapping[str, Any]]) -> Samples:
    """Read a data set that is extracted and split; each sample is read once.

    Args:
        dataset: Its name.
        augment: Modality to what is random in training.

    Raises:
        UserError: A file is missing, or they do not belong together.
    """
    raw, features, split = layout.raw(dataset), layout.features(dataset), layout.split(dataset)
    extracted = vouch.read(features["record"], "run stage extract first")
    record = vouch.read(split["record"], "run stage split first")
    vouch.expect(features["rejects"], extracted, features["record"])
    vouch.expect(split["split"], record, split["record"])
    with FeatureStore(features["features"]) as store:
        manifest = manifests.read(raw["manifest"], columns_of(store.tables))
        if store.attributes["manifest_sha256"] != files.sha256(raw["manifest"]):
            raise UserError(f"{store.path}: made from another manifest; run stage extract again")
        by_name = {row.sample_id: row for row in manifest.rows}
        rows = [by_name[name] for name in store.sample_ids]
        sides = files.read_pairs(split["split"], "sample_id", "subset")
        if sides.keys() != set(store.sample_ids):
            raise UserError(f"{split['split']}: not of {store.path}; run stage split again")
        how = readers(store.tables)
        return Samples(
            dataset=dataset,
            manifest=manifest,
            rows=rows,
            sides=[sides[row.sample_id] for row in rows],
            checksums=files.read_sha256(raw["checksums"]),
            traces={name: _traces(store, how[name], manifest, rows) for name in how},
            things={name: reader.things for name, reader in how.items()},
            cuts=_cuts(extracted),
            left_out=_left_out(store.tables, augment),
            rejects=files.read_pairs(features["rejects"], "sample_id", "reason"),
            official=record["protocol"] == "official",
        )


def _traces(
    store: FeatureStore, reader: Reader[Any], manifest: Manifest, rows: list[Row]
) -> list[Trace]:
    name = reader.name
    kind = reader.stored()
    size = max(1, math.prod(kind.shape) * (8 if kind.dtype == "float64" else 4))
    step, found = max(1, _SLAB // size), []
    with progress(len(rows), f"audit {name}") as bar:
        for start in range(0, len(rows), step):
            slab = store.rows(name, start, min(start + step, len(rows)))
            for row, sample in zip(rows[start:], slab, strict=False):
                try:
                    found.append(reader.trace(sample, manifest.sources(row)[name]))
                except MediaError as error:
                    raise UserError(
                        f"{row.cells[manifest.modalities[name].name]}: {error}; run stage download "
                        "again"
                    ) from None
            bar.advance(len(slab))
    return found


def _cuts(extracted: dict[str, Any]) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = extracted.get("facts", {})
    return {name: fact for name, fact in sorted(facts.items()) if name.rpartition(".")[2] in CUTS}


def _left_out(
    tables: Mapping[str, Mapping[str, Any]], augment: Mapping[str, Mapping[str, Any]]
) -> dict[str, registry.LeftOut]:
    """Return what no encoder is given of any sample, by modality; empty: nothing."""
    found = {}
    for name, table in tables.items():
        kind = registry.kinds()[table["kind"]]
        own = {key: value for key, value in table.items() if key not in ("kind", "column")}
        settings = registry.check(kind.settings, own, name)
        changes = registry.check(kind.augment, augment.get(name, {}), name)
        parts = kind.left_out(settings, changes)
        found[name] = {part: (round(a, 6), round(b, 6)) for part, (a, b) in parts.items()}
    return found
