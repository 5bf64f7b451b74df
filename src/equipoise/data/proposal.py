"""What to write into params.yaml for a folder of one's own data, by what its columns hold."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from equipoise import layout, registry
from equipoise.data import manifest as manifests
from equipoise.data.manifest import REQUIRED, Column, Manifest
from equipoise.media.damage import Tolerance

if TYPE_CHECKING:
    from equipoise.params import Split

#: Files of a column that are looked at.
LOOKED_AT = 20
#: A column of texts has this share of different cells, and cells of several words.
_DIFFERENT = 0.5


def propose(folder: Path) -> dict[str, dict[str, Any]]:
    """Return ``{modality: {kind, column, ...settings}}`` for the columns of ``manifest.csv``.

    A column of files is of the kinds that read such files, in order of their names (picture and
    sound of a video); a column of different cells of several words is text. Rows that cannot be
    read are left out: whoever reads the samples names them.

    Raises:
        UserError: The manifest has no row that can be used.
    """
    path = Path(folder) / "manifest.csv"
    manifest, _ = manifests.scan(path)
    if manifest is None or not manifest.rows:
        manifest = manifests.read(path)  # which says why
    files = manifest.file_columns()
    found: dict[str, dict[str, Any]] = {}
    for column in manifest.columns:
        if column in REQUIRED or column == "corruption":
            continue
        cells = [cell for row in manifest.rows if (cell := row.cells[column])]
        if column in files:
            found |= _of_files(manifest, column, cells)
        elif _is_text(cells):
            found |= _of_cells(column, cells)
    return found


class Told(NamedTuple):
    """What params.yaml says of a data set."""

    name: str
    folder: Path
    """Where its manifest.csv is: the user's own, or what stage download wrote."""
    tables: dict[str, dict[str, Any]]
    """Modality to ``{kind, column, ...settings}``."""
    split: Split
    tolerance: Tolerance


def told(asked: Path, params_file: Path, overlays: Sequence[Path] = ()) -> Told | None:
    """Return what params.yaml says of the data set whose folder or name this is, if any is.

    Raises:
        UserError: The parameters are not valid.
    """
    from equipoise import params

    if not params_file.exists():
        return None
    loaded = params.load(params_file, overlays, feasible=False)
    for name, entry in loaded.datasets.items():
        own = entry.download.get("folder")
        folder = Path(own).expanduser() if own else layout.raw(name)["manifest"].parent
        if (str(asked) == name and not asked.is_dir()) or folder.resolve() == asked.resolve():
            tables = {m: stream.table() for m, stream in loaded.streams_of(name).items()}
            tolerance = loaded.extract_of(name).tolerance
            return Told(name, folder, tables, loaded.split_of(name), tolerance)
    return None


def as_yaml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the tables as they stand in params.yaml, below ``modalities:``."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = True, 10_000
    lines = []
    for name, table in tables.items():
        buffer = io.StringIO()
        yaml.dump(dict(table), buffer)
        lines.append(f"      {name}: {buffer.getvalue().strip()}\n")
    return "    modalities:\n" + "".join(lines)


def columns_of(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Column]:
    """Return the column of each modality ``{kind, column, ...settings}``."""
    return {
        name: Column(table["column"], registry.is_inline(table)) for name, table in tables.items()
    }


def _of_files(manifest: Manifest, column: str, cells: list[str]) -> dict[str, dict[str, Any]]:
    suffixes = {Path(cell).suffix.lower() for cell in cells}
    paths: list[Path | str] = [manifest.folder / cell for cell in cells[:LOOKED_AT]]
    fitting = [
        name
        for name, kind in registry.kinds().items()
        if kind.propose and suffixes <= set(kind.suffixes)
    ]
    by_column = [name for name in fitting if column in (name, *registry.kinds()[name].words)]
    names = by_column or fitting
    proposed = {name: settings for name in names if (settings := _settings(name, paths))}
    return {
        column if len(proposed) == 1 else f"{column}_{name}": {"kind": name, "column": column, **s}
        for name, s in proposed.items()
    }


def _of_cells(column: str, cells: list[str]) -> dict[str, dict[str, Any]]:
    for name, kind in registry.kinds().items():
        if kind.propose and (settings := _settings(name, list(cells[:LOOKED_AT]))):
            return {column: {"kind": name, "column": column, **settings}}
    return {}


def _settings(kind: str, sources: list[Path | str]) -> dict[str, Any]:
    module, _, function = registry.kinds()[kind].propose.partition(":")
    proposed: dict[str, Any] = getattr(importlib.import_module(module), function)(sources)
    return proposed


def _is_text(cells: list[str]) -> bool:
    several = sum(" " in cell.strip() for cell in cells)
    return bool(cells) and several * 2 > len(cells) and len(set(cells)) > _DIFFERENT * len(cells)
