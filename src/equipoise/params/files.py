"""Reading params.yaml and its overlays; every mistake is one line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from equipoise import places
from equipoise.errors import UserError
from equipoise.files import regular, write_text
from equipoise.params.grid import Params
from equipoise.params.overlays import laid_over
from equipoise.section import S, explain


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML 1.2 file, as DVC does (PyYAML takes ``1e-3`` for a string).

    Raises:
        UserError: No such file, not YAML, or not a table.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        value = YAML(typ="safe", pure=True).load(regular(Path(path)).read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; run in the project folder or name another"
        ) from None
    except UserError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    except (YAMLError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UserError(f"{path}: nested too deeply to be parameters; write it anew") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: a table of parameters is expected")
    if r"\u0000" in json.dumps(value, default=str, skipkeys=True):
        raise UserError(f"{path}: a text in it holds the character NUL, as no name can; remove it")
    return value


def load(
    path: Path = Path("params.yaml"), overlays: Iterable[Path] = (), feasible: bool = True
) -> Params:
    """Read, merge and check the parameters, and that no input is where outputs are.

    Args:
        path: The parameter file.
        overlays: Files that change some of it, in this order.
        feasible: Refuse a user's data set that stage split would refuse, hours later.

    Raises:
        UserError: One line that names the file, the key and what is expected.
    """
    values = _merged(path, extras := list(overlays))
    where = " + ".join(map(str, [path, *extras]))
    params = parse(Params, values, where)
    try:
        places.check(params, [path, *extras])
        if feasible:
            _expect_splits(params)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return params


def _merged(path: Path, overlays: Iterable[Path]) -> dict[str, Any]:
    values = read_yaml(path)
    for extra in overlays:
        values = laid_over(values, read_yaml(extra), str(extra))
    return values


def _expect_splits(params: Params) -> None:
    """Split every user's manifest that can be read; what else is wrong, stage download says."""
    for name, entry in params.datasets.items():
        if "folder" not in entry.download:
            continue
        from equipoise.data import table as tables
        from equipoise.data.splits import of_table

        path = Path(entry.download["folder"]).expanduser() / "manifest.csv"
        try:
            table = tables.read(path)
        except UserError:
            continue
        try:
            of_table(table, params.split_of(name))
        except UserError as error:
            raise UserError(f"datasets.{name}: {path}: {error}") from None


def parse(kind: type[S], values: Any, where: str) -> S:
    """Check ``values`` against a section.

    Raises:
        UserError: One line: where, the key, what was wrong, the nearest valid key.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{where}: {explain(kind, error)}") from None


def parse_json(kind: type[S], text: str, where: str) -> S:
    """Check settings that the workflow handed over as JSON.

    Raises:
        UserError: One line: not JSON, or what :func:`parse` says.
    """
    try:
        return parse(kind, json.loads(text), where)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON: {error}") from None


def apply(path: Path, overlays: Iterable[Path]) -> None:
    """Write overlays into the parameter file, so that DVC sees them too; comments there are lost.

    Raises:
        UserError: The result would not be valid; nothing is written.
    """
    from ruamel.yaml import YAML

    extras = list(overlays)
    load(path, extras)
    values = _merged(path, extras)
    buffer = io.StringIO()
    YAML().dump(values, buffer)
    write_text(path, buffer.getvalue())


def schema() -> dict[str, Any]:
    """Return the JSON schema of params.yaml (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Params.model_json_schema(),
    }
