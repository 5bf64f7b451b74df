"""A Croissant card of a data set: what a program of others reads to find samples and features.

Croissant is a JSON-LD vocabulary of MLCommons (Akhtar et al., NeurIPS 2024; version 1.0). The
library ``mlcroissant`` (1.1.1) reads every record set of a card that is written here. Its
validation notices neither wrong checksums nor wrong names of columns, and its reading not those of
files that no record set is in, such as features.h5: :func:`problems` does. It takes ids such as
007 for numbers.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from equipoise import files, layout, vouch
from equipoise.data.recipes import recipes
from equipoise.errors import UserError

#: JSON-LD: which word of a card is which term; as the specification gives it.
CONTEXT: dict[str, Any] = {
    **{"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/"},
    **{"cr": "http://mlcommons.org/croissant/", "dct": "http://purl.org/dc/terms/"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    **{
        term: f"cr:{term}"
        for term in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty"),
            *("fileObject", "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key"),
            *("md5", "parentField", "path", "recordSet", "references", "regex", "repeated"),
            *("replace", "samplingRate", "separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    **{term: {"@id": f"cr:{term}", "@type": "@json"} for term in ("data", "examples")},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}
TEXT, NUMBER = "sc:Text", "sc:Integer"


def write(dataset: str) -> Path:
    """Write the card of a data set beside its features, the same bytes when made again.

    Raises:
        UserError: A stage has not run yet.
    """
    path = layout.card(dataset)
    files.write_json(path, card(dataset))
    return path


def card(dataset: str) -> dict[str, Any]:
    """Return the card: four files with checksums, and five record sets.

    ``samples`` are the rows of the manifest, ``subsets`` those of split.csv, ``rejects`` what could
    not be decoded; ``classes`` and ``modalities`` stand in the card itself. A modality says where
    in features.h5 its array is, whose rows are those of ``subsets``.

    Raises:
        UserError: A stage has not run yet.
    """
    raw, features, split = layout.raw(dataset), layout.features(dataset), layout.split(dataset)
    record = vouch.read(features["record"], "run stage extract first")
    tables = {
        "samples": raw["manifest"],
        "subsets": split["split"],
        "rejects": features["rejects"],
    }
    recipe = recipes().get(dataset)
    said = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset,
        "description": recipe.summary if recipe else f"Data set {dataset}.",
        **({"license": recipe.licence} if recipe else {}),
        "distribution": [
            *(_file(dataset, path, "text/csv") for path in tables.values()),
            _file(dataset, features["features"], "application/x-hdf5"),
        ],
    }
    sets = [_table(name, path) for name, path in tables.items()]
    return {**said, "recordSet": [*sets, _classes(record), _modalities(record)]}


def _file(dataset: str, path: Path, kind: str) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; make it: snakemake --cores all {path}")
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": Path(os.path.relpath(path, layout.card(dataset).parent)).as_posix(),
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": kind,
        "sha256": files.sha256(path),
    }


def _table(name: str, path: Path) -> dict[str, Any]:
    fields = [
        _field(name, column, TEXT)
        | {"source": {"fileObject": {"@id": path.name}, "extract": {"column": column}}}
        for column in header(path)
    ]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _field(table: str, name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"{table}/{name}", "name": name, "dataType": kind}


def _classes(record: Mapping[str, Any]) -> dict[str, Any]:
    rows = [{"name": name, "samples": count} for name, count in record["classes"].items()]
    return _inline("classes", {"name": TEXT, "samples": NUMBER}, rows)


def _modalities(record: Mapping[str, Any]) -> dict[str, Any]:
    told = record["settings"]["modalities"]
    rows = [
        {
            "name": name,
            "kind": told[name]["kind"],
            "array": f"/{name}",
            "shape": " ".join(map(str, shape)),
            "type": record["types"][name],
            "settings": json.dumps(told[name], sort_keys=True),
        }
        for name, shape in sorted(record["shapes"].items())
    ]
    kinds = dict.fromkeys(("name", "kind", "array", "shape", "type", "settings"), TEXT)
    return _inline("modalities", kinds, rows)


def _inline(name: str, kinds: Mapping[str, str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a record set whose records stand in the card."""
    fields = [_field(name, key, kind) for key, kind in kinds.items()]
    data = [{f"{name}/{key}": value for key, value in row.items()} for row in rows]
    about = {"@type": "cr:RecordSet", "@id": name, "name": name}
    return {**about, "field": fields, "data": data}


def header(path: Path) -> list[str]:
    """Return the names of the columns of a CSV file."""
    with files.reading(path), path.open(newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file), [])


def problems(path: Path) -> Iterator[str]:
    """Yield a line for each file of a card that is missing or other, and each name that is nowhere.

    Raises:
        UserError: The card cannot be read.
    """
    found = files.read_json(path, "equipoise card NAME writes it")
    try:
        lines = list(_problems(path, found))
        yield from lines
        if not lines and found != json.loads(json.dumps(card(path.parent.name))):
            yield f"{path}: not the card of the files that it names; write it anew"
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a card of equipoise ({error!r}); write it anew") from None


def _problems(path: Path, found: Mapping[str, Any]) -> Iterator[str]:
    again = "write the card anew, or restore the file"
    columns: dict[str, list[str]] = {}
    for entry in found["distribution"]:
        file = Path(os.path.normpath(path.parent / entry["contentUrl"]))
        if not file.is_file():
            yield f"{path}: {file} is missing; {again}"
            continue
        if file.suffix == ".csv":
            columns[entry["@id"]] = header(file)
        if files.sha256(file) != entry["sha256"]:
            yield f"{path}: {file} is not the file that the card names; {again}"
    ids: set[str] = set()
    for table in found["recordSet"]:
        for field in table["field"]:
            if field["@id"] in ids or not field["@id"].startswith(f"{table['@id']}/"):
                yield f"{path}: field {field['@id']!r} is twice there, or not of its record set"
            ids.add(field["@id"])
            source = field.get("source")
            name = source["fileObject"]["@id"] if source else ""
            if source and source["extract"]["column"] not in columns.get(name, []):
                yield f"{path}: {name} has no column {source['extract']['column']!r}; {again}"
        for row in table.get("data", []):
            if stray := row.keys() - ids:
                yield f"{path}: a record of {table['@id']!r} has {min(stray)!r}, which is no field"
