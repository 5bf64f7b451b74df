"""The samples of a user's folder, read as stage extract would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.audit.faults import CUTS
from equipoise.audit.samples import Samples
from equipoise.console import progress
from equipoise.data import manifest as manifests
from equipoise.data.duplicates import contents
from equipoise.data.manifest import Manifest
from equipoise.data.proposal import columns_of
from equipoise.data.splits import of_manifest, resolve, samples_of
from equipoise.media.damage import Tolerance
from equipoise.media.errors import MediaError
from equipoise.media.pool import DecodePool
from equipoise.modalities.base import Trace, readers
from equipoise.modalities.sample import Readers, read_sample
from equipoise.params import Split
from equipoise.store.extracted import Facts, summary

Tables = Mapping[str, Mapping[str, Any]]
Found = dict[str, tuple[Trace, dict[str, float]]]


class Look:
    """Reads a sample and keeps its traces; runs in another process."""

    def __init__(self, how: Readers, tolerance: Tolerance | None = None) -> None:
        self._how, self._tolerance = how, tolerance

    def __call__(self, sources: Mapping[str, Path | str]) -> Found:
        """Return modality to trace, and to the shares that its settings cut off, by fact.

        Raises:
            MediaError: It cannot be read.
        """
        return {
            name: (
                self._how[name].trace(reading.array, sources[name]),
                {fact: value for fact, value in reading.facts.items() if fact in CUTS},
            )
            for name, reading in read_sample(self._how, sources, self._tolerance).items()
        }


def of_folder(
    folder: Path,
    tables: Tables,
    split: Split,
    threads: int | None = None,
    tolerance: Tolerance | None = None,
) -> Samples:
    """Read every sample of a folder with a manifest.csv.

    Args:
        folder: The folder.
        tables: Modality to ``{kind, column, ...settings}``.
        split: How it will be split.
        threads: Samples read at the same time; all cores if None.
        tolerance: How much of a media file may be missing; None: as by default.

    Raises:
        UserError: The manifest cannot be used, or not split so.
    """
    manifest = manifests.read(folder / "manifest.csv", columns_of(tables))
    how = readers(tables)
    workers = min(threads or os.cpu_count() or 1, len(manifest.rows))
    found: list[Found | MediaError] = []
    with progress(len(manifest.rows), "audit") as bar, DecodePool(workers) as pool:
        for one in pool.map(Look(how, tolerance), map(manifest.sources, manifest.rows)):
            found.append(one)
            bar.advance()
    both = list(zip(manifest.rows, found, strict=True))
    kept = [(row, one) for row, one in both if not isinstance(one, MediaError)]
    # Stage split sees no other samples than these: with the rest, sides would be others.
    whole = replace(manifest, rows=[row for row, _ in kept])
    lost = {
        f"{name}.{fact}": np.array([one[name][1][fact] for _, one in kept], np.float32)
        for name, reader in sorted(how.items())
        for fact in sorted(CUTS.keys() & set(reader.facts))
    }
    return Samples(
        dataset=folder.name,
        manifest=manifest,
        rows=whole.rows,
        sides=of_manifest(whole, split) if kept else [],
        checksums=_sums(manifest),
        traces={name: [one[name][0] for _, one in kept] for name in how},
        things={name: reader.things for name, reader in how.items()},
        cuts=summary([Facts.of(len(kept), lost)]),
        rejects={row.sample_id: str(one) for row, one in both if isinstance(one, MediaError)},
        official=resolve(samples_of(whole), split).protocol == "official",
    )


def _sums(manifest: Manifest) -> dict[str, str]:
    """Return each path of the manifest to the sha256 of its file (its name: of its own size)."""
    known, folder = contents(manifest), manifest.folder
    cells = dict.fromkeys(cell for row in manifest.rows for cell in manifest.paths(row))
    return {cell: known.get(folder / cell, str(folder / cell)) for cell in cells}
