"""A user's own data: any folder with a ``manifest.csv``."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from equipoise import files
from equipoise.console import log
from equipoise.data import manifest as manifests
from equipoise.data import table as tables
from equipoise.data.table import Table
from equipoise.errors import UserError
from equipoise.section import Section


class Settings(Section):
    """Options under ``datasets.<name>.download`` of params.yaml."""

    folder: str
    """The folder that holds manifest.csv; relative to the project folder, or absolute."""


@dataclass(frozen=True)
class Taken:
    """What stage download makes of a folder."""

    table: Table
    """The manifest to be: paths are those of the project."""
    media: dict[str, str]
    """Path in the manifest to be, in the order of their originals, to the user's file."""
    stamps: dict[str, str]
    """The same path to size and times of that file, see :func:`stamp`."""


def download(destination: Path, settings: Settings) -> None:
    """Take a folder into the project: its rows into a manifest, its media as symbolic links.

    Nothing is copied. A link shares no inode with the original, so that neither a new mode nor a
    new time reaches it; ``dvc commit`` puts a copy into its cache and replaces the links with what
    the cache holds. When an original changes, :mod:`equipoise.data.origin` notices, and the stage
    runs again.

    Args:
        destination: Receives manifest.csv and media/.
        settings: Where the folder is.

    Raises:
        UserError: No such folder, a manifest that cannot be used, a file that is missing.
    """
    taken = take(Path(settings.folder).expanduser())
    for path, original in taken.media.items():
        link(destination / path, Path(original).resolve())
    files.write_csv(destination / "manifest.csv", [*taken.table.columns], taken.table.rows())


def take(folder: Path) -> Taken:
    """Read what a folder's manifest names.

    Media lie below ``media/`` as they did in the folder (a leading ``media/`` that all paths share
    is not doubled); the paths in the manifest change accordingly, all else is kept.

    Raises:
        UserError: No such folder, a manifest that cannot be used, a file that is missing.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder (datasets.<name>.download.folder)")
    table = tables.read(folder / "manifest.csv")
    columns = _file_columns(folder, table)
    named = sorted({cell for cells in columns.values() for cell in cells if cell})
    # Text: a million objects for paths would take longer than all else here.
    stamps = {} if any(map(_leads_out, named)) else {n: stamp(f"{folder}/{n}") for n in named}
    if not all(stamps.values()) or len(stamps) < len(named):
        _refuse(folder, [*columns])
    if not named:
        others = ", ".join(table.others()) or "none"
        log.info("%s: no column names files (columns %s)", folder, others)
    inside = all(path.startswith("media/") for path in named)
    place = {path: _place("" if inside else "media/", path) for path in named}
    moved = {
        name: [place[cell] if cell else "" for cell in cells] for name, cells in columns.items()
    }
    return Taken(
        Table({**table.columns, **moved}),
        {place[path]: f"{folder}/{path}" for path in named},
        {place[path]: stamps[path] for path in named},
    )


def stamp(path: str) -> str:
    """Return size and times in ns, of the content and, as copies keep that one, of the inode.

    Empty where it is no file that can be looked at.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):  # ValueError: holds a zero
        return ""
    if not S_ISREG(status.st_mode):
        return ""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _file_columns(folder: Path, table: Table) -> dict[str, list[str]]:
    """Return the columns that name files which are there, whatever the modalities are."""
    return {
        name: cells
        for name, cells in table.others().items()
        if any(cell and stamp(cell if cell[0] == "/" else f"{folder}/{cell}") for cell in cells)
    }


def _place(above: str, path: str) -> str:
    """Return the path of the project, without what stands in it for nothing."""
    if "//" in path or "/." in path or path[0] == "." or path[-1] == "/":
        return PurePosixPath(above, path).as_posix()
    return above + path


def _refuse(folder: Path, columns: list[str]) -> None:
    """Say which file is not there, or leads out of the folder, and in which row.

    Raises:
        UserError: It does.
    """
    named = {
        cell: row.number
        for row in reversed(manifests.read(folder / "manifest.csv").rows)
        for name in columns
        if (cell := row.cells[name])
    }
    if out := [path for path in named if _leads_out(path)]:
        raise UserError(
            f"{folder / 'manifest.csv'}: row {named[out[0]]}: {out[0]!r} leads out of the folder; "
            "paths are relative to the manifest, with / and without .."
        )
    missing = [path for path in named if not (folder / path).is_file()]
    if not missing:
        raise UserError(f"{folder}: changes while it is looked at; wait, then run it again")
    raise UserError(
        f"{folder / 'manifest.csv'}: row {min(named[path] for path in missing)}: "
        f"{len(missing)} media file(s) missing, first {missing[-1]!r}; "
        f"equipoise check {folder} lists all"
    )


def _leads_out(path: str) -> bool:
    return path[0] == "/" or (".." in path and ".." in PurePosixPath(path).parts)


def link(path: Path, target: Path) -> None:
    """Make ``path`` a symbolic link to ``target``, whatever stood there."""
    if path.is_symlink() and path.readlink() == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
