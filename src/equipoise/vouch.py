"""A stage's record vouches for the files beside it: how many rows, which checksum.

A table that was cut, or a file of another run, is still a table: numbers would come of it. So the
record that a stage writes last (``metrics.json``, ``gmm.json``, ...) names its other files under
``files``, and who reads them compares; ``equipoise verify`` compares all of them, without DVC too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise import files
from equipoise.errors import UserError

KEY = "files"


def of(*paths: Path) -> dict[str, dict[str, Any]]:
    """Return name to ``sha256`` and, of a table, ``rows``, for files that are finished."""
    return {path.name: _entry(path) for path in paths}


def expect(path: Path, record: Mapping[str, Any], voucher: Path) -> None:
    """Refuse a file that is not the one which its record names.

    Args:
        path: The file.
        record: Content of ``voucher``.
        voucher: Where the record is, for the message.

    Raises:
        UserError: It is missing, cut or changed; or the record is of an older version.
    """
    entries = record.get(KEY)
    said = entries.get(path.name) if isinstance(entries, Mapping) else None
    if not isinstance(said, Mapping):
        raise UserError(
            f"{voucher}: does not say what {path.name} is (an older equipoise wrote it); "
            "delete it and run its stage again"
        )
    try:
        found = _entry(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; make it: snakemake --cores all {path}") from None
    if found != dict(said):
        rows = ""
        if found.get("rows") != said.get("rows"):
            rows = f" ({found.get('rows')} rows, there were {said.get('rows')})"
        raise UserError(
            f"{path}: not the file that {voucher} was written with{rows}; restore it, or delete "
            "both and run their stage again"
        )


def _entry(path: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"sha256": files.sha256(path)}
    if path.suffix == ".csv":
        with path.open("rb") as file:
            entry["rows"] = sum(1 for _ in file) - 1  # the header
    return entry
