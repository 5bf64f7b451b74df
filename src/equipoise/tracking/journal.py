"""The journal of a tracked run: what is said to MLflow, kept on disk until it has arrived there.

``state/tracking/<id>/run.jsonl`` has one record in each line, in the order of events: first
:class:`Start`, last :class:`End`. Artifacts lie beside it as hard links (copies where the file
system has none), so that they are those of this run even when a later one replaces the originals.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from equipoise import files, layout
from equipoise.errors import UserError

FILE = "run.jsonl"
FOLDER = layout.state("tracking")


class _Record(BaseModel):
    # A diverged run logs NaN and infinity, and they are to come back.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def line(self) -> str:
        return f"{self.model_dump_json()}\n"


class Start(_Record):
    """A run begins; times are milliseconds since 1970, as MLflow counts."""

    kind: Literal["start"] = "start"
    time: int
    experiment: str
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]


class Metrics(_Record):
    """Numbers of one epoch."""

    kind: Literal["metrics"] = "metrics"
    time: int
    step: int
    values: Mapping[str, float]


class Tags(_Record):
    """Tags that were not known at the start."""

    kind: Literal["tags"] = "tags"
    values: Mapping[str, str]


class Artifact(_Record):
    """A file; the journal holds it under its name."""

    kind: Literal["artifact"] = "artifact"
    path: Path


class End(_Record):
    """The run is over. A journal without this record is still being written, or was killed."""

    kind: Literal["end"] = "end"
    time: int
    status: Literal["FINISHED", "FAILED", "KILLED"]


Record = Metrics | Tags | Artifact | End


class _Line(RootModel[Start | Record]):
    """One line of the file."""


class Journal:
    """The journal of a run of this process. Each record is on disk when ``append`` returns.

    A killed process loses nothing; a machine without power may lose the last seconds, which is why
    nothing here waits for the disk.

    Args:
        identity: Name of its folder; the run in the store carries it as a tag.
        start: The first record.

    Raises:
        OSError: From every method but ``remove``: disk full, folder cannot be written.
        ValueError: A text is no Unicode.
    """

    def __init__(self, identity: str, start: Start) -> None:
        self.folder = (FOLDER / identity).absolute()
        with files.atomic_directory(self.folder) as temporary:
            (temporary / FILE).write_text(start.line(), encoding="utf-8")
        self._file = (self.folder / FILE).open("a", encoding="utf-8")

    def append(self, record: Record) -> None:
        """Write one record; an artifact is linked or copied first."""
        if isinstance(record, Artifact):
            files.link_or_copy(record.path.resolve(), self.folder / record.path.name)
        self._file.write(record.line())
        self._file.flush()

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def remove(self) -> None:
        """Delete the folder: all of it is in the store."""
        shutil.rmtree(self.folder, ignore_errors=True)


def read(folder: Path) -> tuple[Start, list[Record]]:
    """Return what a journal holds; a last line that a crash cut short is left out.

    Raises:
        UserError: It cannot be read or is no journal.
    """
    path = folder / FILE
    try:
        whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
        lines = [_Line.model_validate_json(line).root for line in whole.split("\n")]
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not the journal of a run ({reason}); left as it is") from error
    start, *rest = lines
    records = [record for record in rest if not isinstance(record, Start)]
    if not isinstance(start, Start) or len(records) < len(rest):
        raise UserError(f"{path}: not the journal of a run (start is not first); left as it is")
    return start, [_placed(record, folder) for record in records]


def _placed(record: Record, folder: Path) -> Record:
    if not isinstance(record, Artifact):
        return record
    return Artifact(path=(folder / record.path.name).absolute())
