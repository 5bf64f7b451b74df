"""What the results are, for programs: RO-Crate metadata beside the report.

RO-Crate 1.1 (Soiland-Reyes et al., Data Science 5(2), 2022; https://w3id.org/ro/crate/1.1): JSON-LD
in one flat list. The crate is the folder ``results``: every file of the grid in it with size and
sha256, and what made them, the data, the parameters, the software, the workflow. A file is no part
of a crate when it lies elsewhere, so that features and models are named by their checksums only.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from equipoise import files, layout, provenance
from equipoise.errors import UserError
from equipoise.evaluation.collect import DatasetResults
from equipoise.evaluation.report_run import settings_apart
from equipoise.params import CompareJob

Entity = dict[str, Any]

#: The terms of 1.1, and one of schema.org that came later.
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
_TYPES = {
    **{".csv": "text/csv", ".json": "application/json"},
    **{".html": "text/html", ".png": "image/png"},
}
_SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
_LICENCE = "https://spdx.org/licenses/Apache-2.0"


def crate(collected: Sequence[DatasetResults], settings: CompareJob) -> Entity:
    """Describe the results on disk; the other outputs of stage compare are written.

    Args:
        collected: What was compared.
        settings: The grid.

    Returns:
        The document; the same for the same files, commit and packages.
    """
    outputs = layout.compare()
    root = outputs["crate"].parent
    paths = [path for path in _paths(settings) if path.exists()]
    parts = [_file(path, root) for path in paths]
    data = [_data(results) for results in collected]
    parameters = list(_parameters(collected, settings))
    software = [_package(name, version) for name, version in provenance.versions().items()]
    made = [_file_id(path, root) for name, path in outputs.items() if name != "crate"]
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "comparison of " + ", ".join(settings.methods),
        "instrument": [{"@id": "#workflow"}, *_refs(software)],
        "object": [*_refs(data), *_refs(parameters)],
        "result": [{"@id": name} for name in made],
    }
    described = [_root(settings, parts, data, _day(paths)), *parts, action, _workflow(), *software]
    languages = [{"@id": _SNAKEMAKE, "@type": "ComputerLanguage", "name": "Snakemake"}]
    graph = [_descriptor(outputs["crate"].name), *described, *languages, *data, *parameters]
    graph[0]["identifier"] = files.digest([CONTEXT, graph])
    return {"@context": CONTEXT, "@graph": graph}


def expect_itself(path: Path) -> None:
    """Refuse a crate that is not as it was written: its identifier is the digest of the rest.

    Raises:
        UserError: It was changed, or is no crate of this version.
    """
    again = "run `equipoise compare`"
    found = files.read_json(path, again)
    context, graph = found["@context"], found["@graph"]
    descriptor = graph[0] if isinstance(graph, list) and graph else None
    said = descriptor.pop("identifier", None) if isinstance(descriptor, dict) else None
    if said != files.digest([context, graph]):
        raise UserError(f"{path}: changed since it was written; {again}")


def _refs(entities: Sequence[Entity]) -> list[Entity]:
    return [{"@id": entity["@id"]} for entity in entities]


def _paths(settings: CompareJob) -> Iterator[Path]:
    """Yield the files of the grid below ``results``, in the order of the stages."""
    seeds = [str(seed) for seed in settings.seeds]
    for dataset in settings.datasets:
        yield from layout.audit(dataset).values()
        for seed in seeds:
            yield from layout.gap(dataset, seed).values()
        for method in settings.methods:
            yield from layout.search(dataset, method).values()
            for seed in seeds:
                yield from layout.evaluate(dataset, method, seed).values()
    yield from (path for name, path in layout.compare().items() if name != "crate")


def _descriptor(name: str) -> Entity:
    return {
        "@id": name,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }


def _root(
    settings: CompareJob, parts: Sequence[Entity], data: Sequence[Entity], day: str
) -> Entity:
    methods, seeds = len(settings.methods), len(settings.seeds)
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": "equipoise: results on " + ", ".join(settings.datasets),
        "description": f"{methods} method(s), {seeds} seed(s): metrics and predictions of every "
        "run, modality gaps, hyper-parameter trials, table and report",
        "datePublished": day,
        "hasPart": _refs(parts),
        "mentions": [{"@id": "#run"}, *_refs(data)],
    }


def _day(paths: Sequence[Path]) -> str:
    """Return the day of the commit; without one, that on which the newest input was written.

    The day of today would be another one when the same is made again.
    """
    if commit := provenance.day():
        return commit
    outputs = layout.compare().values()
    newest = max((path.stat().st_mtime for path in paths if path not in outputs), default=0.0)
    return datetime.datetime.fromtimestamp(newest, datetime.UTC).date().isoformat()


def _file_id(path: Path, root: Path) -> str:
    return quote(path.relative_to(root).as_posix())


def _file(path: Path, root: Path) -> Entity:
    return {
        "@id": _file_id(path, root),
        "@type": "File",
        "name": path.name,
        "contentSize": str(path.stat().st_size),
        "encodingFormat": _TYPES[path.suffix],
        "sha256": files.sha256(path),
    }


def _workflow() -> Entity:
    code = provenance.code()
    version = (code.commit or "unknown") + (" with changes" if code.dirty else "")
    return {
        "@id": "#workflow",
        "@type": ["SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "equipoise: Snakefile, mirrored by dvc.yaml",
        "programmingLanguage": {"@id": _SNAKEMAKE},
        "version": version,
    }


def _package(name: str, version: str) -> Entity:
    entity = {
        "@id": f"#software-{name}",
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }
    return entity | ({"license": {"@id": _LICENCE}} if name == "equipoise" else {})


def _data(results: DatasetResults) -> Entity:
    return {
        "@id": f"#data-{quote(results.dataset)}",
        "@type": "Dataset",
        "name": results.dataset,
        "description": f"{sum(results.subsets.values())} samples; the identifier covers the sha256 "
        "of the manifest and that of the list of media checksums",
        "identifier": "sha256:" + (provenance.data_hash(results.dataset) or "unknown"),
    }


def _parameters(collected: Sequence[DatasetResults], settings: CompareJob) -> Iterator[Entity]:
    """Yield the grid and the settings of every method, one entity for each value."""
    tables: dict[str, Any] = settings.model_dump(mode="json")
    for results in collected:
        shared, own = settings_apart(results)
        tables |= {results.dataset: {"all methods": shared, **own}}
    for name, value in _leaves("", tables):
        yield {
            "@id": f"#parameter-{quote(name)}",
            "@type": "PropertyValue",
            "name": name,
            "value": value,
        }


def _leaves(before: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of nested tables; lists and nothing as JSON text."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(f"{before}.{name}" if before else name, inner)
    else:
        plain = isinstance(value, str | int | float)
        yield before, value if plain else json.dumps(value, ensure_ascii=False)
