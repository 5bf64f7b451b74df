"""Everything that is wrong with a folder of one's own data, at once, and what later stages say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise import registry
from equipoise.data import manifest as manifests
from equipoise.data.check_samples import glance, look, summary
from equipoise.data.duplicates import Twins
from equipoise.data.manifest import REQUIRED, SUBSETS, Manifest, Problem
from equipoise.data.proposal import columns_of
from equipoise.data.splits import of_manifest
from equipoise.errors import UserError
from equipoise.media.damage import Tolerance
from equipoise.modalities.base import readers
from equipoise.modalities.sample import too_large
from equipoise.params import Split

__all__ = ["Findings", "Problem", "check"]

#: How people shorten the names of kinds.
_SHORT = {
    **{"img": "image", "pic": "image", "picture": "image", "photo": "image"},
    **{"vid": "video", "movie": "video", "aud": "audio", "snd": "sound", "wav": "audio"},
    **{"txt": "text"},
}


@dataclass(frozen=True)
class Findings:
    """What is wrong, and what one should know."""

    problems: list[Problem]
    """Problems of the whole first, then by row; empty if the folder can be used."""
    notes: list[str]
    """One line each."""


def check(
    folder: Path,
    modalities: Mapping[str, Mapping[str, Any]],
    threads: int | None = None,
    split: Split | None = None,
    quick: bool = False,
    tolerance: Tolerance | None = None,
) -> Findings:
    """List what is wrong with a data folder; every sample is read.

    Args:
        folder: Holds manifest.csv.
        modalities: Modality to ``{kind, column, ...settings}``: how samples are read.
        threads: Samples read at the same time; all cores if None.
        split: How stage split will split it; None: as params.yaml does by default.
        quick: Decode nothing: of a media file its first bytes are read, and its checksum where
            another file is as large.
        tolerance: How much of a media file may be missing; None: as by default.
    """
    manifest, problems = manifests.scan(Path(folder) / "manifest.csv", columns_of(modalities))
    if manifest is None:
        return Findings(problems, [])
    if not modalities:
        problems.append(Problem(None, "no column holds files or texts of a known kind"))
    problems += _unread_but_near(manifest)
    notes = list(_unread(manifest))
    sides: list[str] | None = None
    if not (wrong := list(_splits(manifest))) and not problems:
        try:
            sides = of_manifest(manifest, split or Split())
        except UserError as error:
            wrong.append(Problem(None, str(error)))
    problems += wrong
    how = readers(modalities)
    problems += [Problem(None, text) for text in too_large(how)]
    if quick or problems:  # what is to be mended first needs no decoding
        problems += glance(manifest)
    if not quick:
        seen, bad = look(manifest, how, threads, tolerance)
        problems += [p for p in bad if p not in problems]
        same, more = summary(manifest, modalities, seen)
        problems += same
        notes += more
    twins = Twins(manifest, sides, allow=bool(split and split.allow_leaks))
    problems += twins.problems()
    notes += twins.notes()
    return Findings(sorted(problems, key=lambda problem: problem.row or 0), notes)


def _unread_but_near(manifest: Manifest) -> Iterator[Problem]:
    """Yield columns that nobody reads although all but one letter says that somebody should."""
    words = {word for name, kind in registry.kinds().items() for word in (name, *kind.words)}
    words |= set(manifest.modalities)
    for column in _others(manifest):
        plain = "".join(letter for letter in column.lower() if letter.isalpha())
        plain = _SHORT.get(plain, _SHORT.get(plain.removesuffix("s"), plain))
        meant = next((w for w in (plain, plain.removesuffix("s")) if w in words), None)
        if meant and column not in words:
            yield Problem(
                1,
                f"column {column!r} is read by no modality; did you mean {meant!r}? Add it to "
                "datasets.NAME.modalities with column:, or rename it if it is a remark",
            )


def _unread(manifest: Manifest) -> Iterator[str]:
    """Yield columns of files that nobody reads."""
    for column in manifest.file_columns():
        if column in _others(manifest):
            yield f"column {column!r} holds files, and no modality reads it"
    there = set(manifest.file_columns())
    for column in _others(manifest):
        cells = [row.cells[column] for row in manifest.rows if row.cells[column]]
        if column not in there and cells and all(Path(c).suffix and "/" in c for c in cells):
            yield f"column {column!r} holds paths to nothing, and no modality reads it"


def _others(manifest: Manifest) -> list[str]:
    read = {column.name for column in manifest.modalities.values()}
    return [
        column
        for column in manifest.columns
        if column not in (*REQUIRED, *read) and any(row.cells[column] for row in manifest.rows)
    ]


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
