"""Everything that is wrong with a folder of one's own data, at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from equipoise.console import progress
from equipoise.data import manifest as manifests
from equipoise.data.manifest import SUBSETS, Manifest, Problem, Row
from equipoise.data.proposal import columns_of
from equipoise.media.errors import MediaError
from equipoise.modalities.base import readers
from equipoise.modalities.sample import Readers, read_sample

__all__ = ["Problem", "check"]


def check(
    folder: Path, modalities: Mapping[str, Mapping[str, Any]], threads: int | None = None
) -> list[Problem]:
    """List what is wrong with a data folder; every sample is read.

    Args:
        folder: Holds manifest.csv.
        modalities: Modality to ``{kind, column, ...settings}``: how samples are read.
        threads: Samples read at the same time; all cores if None.

    Returns:
        Problems of the whole first, then by row; an empty list if the folder can be used.
    """
    manifest, problems = manifests.scan(Path(folder) / "manifest.csv", columns_of(modalities))
    if manifest is None:
        return problems
    if not modalities:
        problems.append(Problem(None, "no column holds files or texts of a known kind"))
    problems += _splits(manifest)
    problems += _samples(manifest, readers(modalities), threads or os.cpu_count() or 1)
    return sorted(problems, key=lambda problem: problem.row or 0)


def _splits(manifest: Manifest) -> Iterator[Problem]:
    """Check the columns split and group as protocol ``auto`` reads them; both may be empty."""
    given = [row for row in manifest.rows if row.split]
    if not given:
        if any(row.group for row in manifest.rows):
            for row in manifest.rows:
                if not row.group:
                    yield Problem(row.number, "group is empty, but other rows have one")
        return
    for row in manifest.rows:
        if not row.split:
            yield Problem(row.number, "split is empty, but other rows have one")
    for subset in SUBSETS:
        labels = {row.label for row in given if row.split == subset}
        if not labels:
            if subset != "val":  # is cut from train
                yield Problem(None, f"no row has split {subset!r}")
            continue
        for label in sorted(set(manifest.classes) - labels):
            yield Problem(None, f"class {label!r} has no row with split {subset!r}")


def _samples(manifest: Manifest, how: Readers, threads: int) -> list[Problem]:
    def inspect(row: Row) -> list[Problem]:
        gone = [path for path in manifest.paths(row) if not (manifest.folder / path).is_file()]
        if gone:
            columns = {row.cells[c.name]: c.name for c in manifest.modalities.values()}
            return [Problem(row.number, f"{columns[path]}: no file {path!r}") for path in gone]
        try:
            read_sample(how, manifest.sources(row))
        except MediaError as error:
            where = next(iter(manifest.paths(row)), row.sample_id)
            return [Problem(row.number, f"{where}: {error}")]
        return []

    found: list[Problem] = []
    with (
        progress(len(manifest.rows), "check") as bar,
        ThreadPoolExecutor(threads, "read") as pool,
    ):
        for problems in pool.map(inspect, manifest.rows):
            found += problems
            bar.advance()
    return found
