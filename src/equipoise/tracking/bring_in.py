"""Runs that were logged without a server are brought into the store later, each once."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from equipoise import files
from equipoise.console import log, progress
from equipoise.errors import UserError
from equipoise.tracking import journal, sender, store
from equipoise.tracking.journal import End, Metrics, Record, Start

#: What can become of a journal, in the order in which it is told.
NOTES = {
    "imported": "imported",
    "there": "there already",
    "replaced": "replaced by a later run of the same job",
    "open": "still being written, or killed (`--killed` imports those)",
    "damaged": "not readable",
}


def import_runs(folder: Path, uri: str, killed: bool = False, remove: bool = False) -> Counter[str]:
    """Send the journals in ``folder`` to the store, the oldest run first.

    Called again, or after an interruption, it sends what is not there yet and nothing twice.

    Args:
        folder: Holds one folder for each run.
        uri: The store.
        killed: Also those without an end. One that is still being written may be among them:
            a later import replaces it.
        remove: Delete the journals that are in the store, and those replaced by a later run.

    Returns:
        How many there were of each kind in :data:`NOTES`.

    Raises:
        UserError: The store fails; another import works in this folder; it cannot be written.
    """
    store.prepare_import()
    counts: Counter[str] = Counter()
    # Two imports at once would both send what neither has found.
    with files.alone(folder / ".lock", "another import works here"):
        journals = _read_all(folder, counts)
        with progress(len(journals), "importing") as bar:
            for path, start, records in journals:
                try:
                    outcome = _import(path, start, records, uri, killed)
                except Exception as error:
                    raise UserError(
                        f"MLflow ({sender.without_password(uri)}): {sender.one_line(error)}; what "
                        f"has not arrived is still in {folder}; the same command continues"
                    ) from error
                counts[outcome] += 1
                if remove and outcome in ("imported", "there", "replaced"):
                    shutil.rmtree(path)
                bar.advance()
    return counts


def _read_all(folder: Path, counts: Counter[str]) -> list[tuple[Path, Start, list[Record]]]:
    found = []
    for file in folder.glob(f"[!.]*/{journal.FILE}"):
        try:
            found.append((file.parent, *journal.read(file.parent)))
        except UserError as error:
            log.warning("%s", error)
            counts["damaged"] += 1
    return sorted(found, key=lambda item: (item[1].time, item[0].name))


def _import(path: Path, start: Start, records: list[Record], uri: str, killed: bool) -> str:
    if not (records and isinstance(records[-1], End)):
        if not killed:
            return "open"
        times = [record.time for record in records if isinstance(record, Metrics)]
        records = [*records, End(time=max(times, default=start.time), status="KILLED")]
    if known := store.find(uri, start, path.name, 1 + len(records)):
        return known
    stored = store.StoredRun(uri, start, path.name)
    for record in records:
        stored.log(record)
    return "imported"
