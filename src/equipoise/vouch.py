"""A stage's record vouches for the files beside it, and for itself.

A table that was cut, or a file of another run, is still a table: numbers would come of it. So the
record that a stage writes last (``metrics.json``, ``gmm.json``, ...) names its other files under
``files``, and who reads them compares. A digit that changed in the record itself would be read as
it stands: so it carries a digest of all its values. ``equipoise verify`` compares all of them,
without DVC too (docs/decisions/0038-a-record-vouches-for-itself.md).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise import files
from equipoise.console import log
from equipoise.errors import UnreadableError, UserError

#: Of a record: the files that it vouches for.
KEY = "files"
#: Of a record: the digest of all its other values.
OWN = "record_digest"


def of(*paths: Path) -> dict[str, dict[str, Any]]:
    """Return name to ``sha256`` and, of a table, ``rows``, for files that are finished."""
    return {path.name: _entry(path) for path in paths}


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the digest of its values."""
    return {**record, OWN: _digest(record)}


def write(path: Path, record: Mapping[str, Any], *others: Path) -> None:
    """Write the record of a stage, which vouches for the finished files ``others``; atomically."""
    named = {KEY: of(*others)} if others else {}
    files.write_json(path, sealed({**record, **named}))


def read(path: Path, otherwise: str) -> Any:
    """Read what :func:`write` wrote.

    Args:
        path: The record.
        otherwise: What to do where it cannot be read, for the message.

    Returns:
        Its tables raise UnreadableError for a key that is not there.

    Raises:
        UserError: No such file, not a record, or not as it was written.
    """
    record = files.read_json(path, otherwise)
    if not expect_itself(path, record, otherwise):
        raise UnreadableError(
            f"{path}: carries no digest of itself (an older equipoise wrote it); {otherwise}"
        )
    return record


def expect_itself(path: Path, record: Mapping[str, Any], otherwise: str) -> bool:
    """Refuse a record that is not as it was written, or of no stage's shape.

    Args:
        path: Where the record is, for the message.
        record: Its content.
        otherwise: What to do then, for the message.

    Returns:
        Whether it carries a digest of itself: an older equipoise wrote none.

    Raises:
        UserError: It was changed.
    """
    if OWN in record and record[OWN] != _digest(record):
        raise UnreadableError(f"{path}: changed since it was written; restore it, or {otherwise}")
    from equipoise import shapes  # forty tables: not for a command that reads no record

    shapes.expect(path, record, otherwise)
    return OWN in record


def expect_card(path: Path, card: Mapping[str, Any]) -> None:
    """Refuse the card of a model that was changed; an older one, without a digest, is named.

    A model may have taken days, and its weights are compared with a checksum all the same.

    Raises:
        UserError: It was changed.
    """
    if not expect_itself(path, card, "train again"):
        log.warning("%s: carries no digest of itself: nobody vouches for its values", path)


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


def _digest(record: Mapping[str, Any]) -> str:
    """Return the digest of what a reader gets: keys are words there, tuples lists."""
    told = {key: value for key, value in record.items() if key != OWN}
    return files.digest(json.loads(json.dumps(told)))
