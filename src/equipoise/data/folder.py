"""A user's own data: any folder with a ``manifest.csv``."""

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from equipoise import files
from equipoise.console import log
from equipoise.data import manifest as manifests
from equipoise.errors import UserError
from equipoise.section import Section


class Settings(Section):
    """Options under ``datasets.<name>.download`` of params.yaml."""

    folder: str
    """The folder that holds manifest.csv; relative to the project folder, or absolute."""


@dataclass(frozen=True)
class Taken:
    """What stage download makes of a folder."""

    header: list[str]
    rows: list[dict[str, str]]
    """Cells of the manifest to be, by column: paths are those of the project."""
    media: dict[str, Path]
    """Path in the manifest to be, sorted, to the user's file."""


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
        link(destination / path, original.resolve())
    files.write_csv(destination / "manifest.csv", taken.header, taken.rows)


def take(folder: Path) -> Taken:
    """Read what a folder's manifest names.

    Media lie below ``media/`` as they did in the folder (a leading ``media/`` that all paths share
    is not doubled); the paths in the manifest change accordingly, all else is kept.

    Raises:
        UserError: No such folder, a manifest that cannot be used, a file that is missing.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder (datasets.<name>.download.folder)")
    manifest = manifests.read(folder / "manifest.csv")
    columns = manifest.file_columns()
    named = _named(manifest, columns)
    inside = all(path.startswith("media/") for path in named)

    def place(path: str) -> str:
        return PurePosixPath("" if inside else "media", path).as_posix()

    header, rows = read_table(folder / "manifest.csv")
    for row in rows:
        row.update({name: place(row[name]) for name in columns if row[name]})
    return Taken(header, rows, {place(path): folder / path for path in sorted(named)})


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the header and the rows of a manifest as they stand there."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        return header, [dict(zip(header, cells, strict=True)) for cells in reader if cells]


def _named(manifest: manifests.Manifest, columns: list[str]) -> dict[str, int]:
    """Return every path in ``columns``, each with the first row that names it.

    Raises:
        UserError: A file is not there, or leads out of the folder.
    """
    folder = manifest.folder
    named = {
        cell: row.number
        for row in reversed(manifest.rows)
        for name in columns
        if (cell := row.cells[name])
    }
    if not named:
        others = [name for name in manifest.columns if name not in manifests.REQUIRED]
        log.info("%s: no column names files (columns %s)", folder, ", ".join(others) or "none")
    if out := [path for path in named if _leads_out(path)]:
        raise UserError(
            f"{folder / 'manifest.csv'}: row {named[out[0]]}: {out[0]!r} leads out of the folder; "
            "paths are relative to the manifest, with / and without .."
        )
    if missing := [path for path in named if not (folder / path).is_file()]:
        raise UserError(
            f"{folder / 'manifest.csv'}: row {min(named[path] for path in missing)}: "
            f"{len(missing)} media file(s) missing, first {missing[-1]!r}; "
            f"equipoise check {folder} lists all"
        )
    return named


def _leads_out(path: str) -> bool:
    parts = PurePosixPath(path)
    return parts.is_absolute() or ".." in parts.parts


def link(path: Path, target: Path) -> None:
    """Make ``path`` a symbolic link to ``target``, whatever stood there."""
    if path.is_symlink() and path.readlink() == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
