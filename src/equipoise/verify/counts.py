"""Whether what is said of a data set adds up: rows, samples, rejects, sides, the published list."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from equipoise import files, layout, registry, vouch
from equipoise.data import croissant, published
from equipoise.data.recipes import recipes
from equipoise.errors import UserError

SIDES = ("train", "val", "test")
#: The counts at the start of a list's line in recipes.toml.
COUNTS = re.compile(r"([\d,]+) / ([\d,]+|-) / ([\d,]+)")
AGAIN = "take what belongs together from one run: snakemake --cores all, or dvc checkout"


def places(dataset: str) -> list[Path]:
    """Return the folders in which the files of a data set are, those with a record of them."""
    records = (
        layout.raw(dataset)["checksums"],
        *(place(dataset)["record"] for place in (layout.features, layout.split, layout.embed)),
    )
    return [record.parent for record in records if record.is_file()]


def problems(dataset: str, download: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each count of a data set that is not what another file says of it.

    Args:
        dataset: Its name.
        download: Its options, which say by what list it was made.

    Raises:
        UserError: A file cannot be read.
    """
    manifest = layout.raw(dataset)["manifest"]
    if not manifest.is_file():
        raise UserError(f"{manifest}: no such file; run stage download of {dataset!r} first")
    rows = Counter(row.get("split", "") for row in _rows(manifest))
    yield from _against_list(dataset, download, rows)
    record = layout.features(dataset)["record"]
    if record.is_file():
        yield from _of_features(dataset, sum(rows.values()), vouch.read(record, AGAIN))
    if (card := layout.card(dataset)).is_file():
        yield from croissant.problems(card)


def _of_features(dataset: str, rows: int, record: Mapping[str, Any]) -> Iterator[str]:
    features, split = layout.features(dataset), layout.split(dataset)
    said = {key: record.get(key) for key in ("manifest_rows", "samples", "rejects")}
    pairs = [
        (layout.raw(dataset)["manifest"], rows, said["manifest_rows"], "manifest_rows"),
        (features["rejects"], _count(features["rejects"]), said["rejects"], "rejects"),
        (split["split"], _count(split["split"]), said["samples"], "samples"),
    ]
    for path, found, expected, key in pairs:
        if found is not None and found != expected:
            yield (f"{path}: {found} rows, but {features['record']} says {key} {expected}; {AGAIN}")
    if said["manifest_rows"] != (said["samples"] or 0) + (said["rejects"] or 0):
        yield f"{features['record']}: samples and rejects are not manifest_rows; {AGAIN}"
    if sum(record.get("classes", {}).values()) != said["samples"]:
        yield f"{features['record']}: the classes do not add up to samples; {AGAIN}"


def expected(dataset: str, download: Mapping[str, Any]) -> dict[str, int]:
    """Return side to how many samples the published list has that the options name; empty: none."""
    if "folder" in download or (recipe := recipes().get(dataset)) is None:
        return {}
    options = registry.dataset(dataset).Settings(**download).model_dump()
    own = {
        str(value) for key, value in options.items() if key not in published.Published.model_fields
    }
    names = [name for name in recipe.lists if name in own or len(recipe.lists) == 1]
    said = recipe.lists[names[0]] if names else ""
    if said.startswith("the same"):  # clips or rows as in the list before, other labels
        said = next(iter(recipe.lists.values()))
    found = COUNTS.match(said)
    counts = found.groups() if found else ()
    pairs = zip(SIDES, counts, strict=False)
    return {side: int(count.replace(",", "")) for side, count in pairs if count != "-"}


def _against_list(
    dataset: str, download: Mapping[str, Any], rows: Mapping[str, int]
) -> Iterator[str]:
    manifest = layout.raw(dataset)["manifest"]
    coverage = manifest.with_name(published.COVERAGE)
    absent: Mapping[str, int] = {}
    if coverage.is_file():
        absent = vouch.read(coverage, AGAIN)["absent"]["split"]
    for side, count in expected(dataset, download).items():
        if rows.get(side, 0) + absent.get(side, 0) != count:
            yield (
                f"{manifest}: {rows.get(side, 0)} samples of {side} and {absent.get(side, 0)} "
                f"absent, but the published list has {count}; run stage download again"
            )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with files.reading(path, AGAIN), path.open(newline="", encoding="utf-8-sig") as file:
        yield from csv.DictReader(file)


def _count(path: Path) -> int | None:
    return sum(1 for _ in _rows(path)) if path.is_file() else None
