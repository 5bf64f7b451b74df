"""Stage download: raw media and their manifest, with a checksum of every file."""

import errno
import os
import shutil
from pathlib import Path

from equipoise import files, layout, places, registry
from equipoise.console import log
from equipoise.data import folder, manifest, published
from equipoise.errors import UserError
from equipoise.parallel import on_all_cores
from equipoise.params import DownloadJob, parse
from equipoise.stages.job import Job


def run(job: Job, settings: DownloadJob) -> None:
    """Write ``layout.raw(dataset)``: manifest.csv, media.sha256 and media/.

    Everything is collected in a folder of its own that a killed job leaves as it is and that the
    next run with the same settings continues. When it is complete and checked, it takes the place
    of the old version by a rename, so that what stands under the final name is never half of one.

    Raises:
        UserError: A download failed, the manifest names a file that is not there, or what is to be
            read lies where the pipeline writes.
    """
    places.check_download(job.dataset, settings.download)
    final = layout.raw(job.dataset)
    settings_digest = files.digest(settings.model_dump(mode="json"))
    work = layout.state("download", job.dataset, settings_digest)
    work.mkdir(parents=True, exist_ok=True)
    _collect(job.dataset, settings, work)
    table = manifest.read(work / final["manifest"].name)
    media = _media(table, final["media"].name)
    sums = on_all_cores(lambda name: files.sha256(work / name), media, f"{job.dataset}: sha256")
    lines = [f"{sha}  {name}\n" for sha, name in zip(sums, media, strict=True)]
    files.write_text(work / final["checksums"].name, "".join(lines))
    ours = {path.name for path in final.values()} | {published.COVERAGE}
    _publish(work, final["manifest"].parent, ours)
    log.info("%s: %d samples in %d media files", job.dataset, len(table.rows), len(media))


def _collect(dataset: str, settings: DownloadJob, work: Path) -> None:
    where = f"datasets.{dataset}.download"
    if "folder" in settings.download:
        folder.download(work, parse(folder.Settings, settings.download, where))
    else:
        module = registry.dataset(dataset)
        module.download(work, parse(module.Settings, settings.download, where))


def _media(table: manifest.Manifest, media: str) -> list[str]:
    """Return the path of every media file, sorted; drop files that no row names.

    Such a file is half written (the job was killed) or of a row that is no longer there.

    Raises:
        UserError: A file that a row names is not there.
    """
    named = {}
    for name in table.file_columns():
        for row in table.rows:
            path = row.cells[name]
            if path and not (path.startswith(f"{media}/") and (table.folder / path).is_file()):
                raise UserError(
                    f"{table.folder / 'manifest.csv'}: row {row.number}: {name} {path!r} was "
                    f"not downloaded; delete {table.folder} and run again"
                )
            if path:
                named[table.folder / path] = path
    for found in (table.folder / media).rglob("*"):
        if found not in named and not found.is_dir():
            log.info("%s: no row names it; dropped", found)
            found.unlink()
    return sorted(named.values())


def _publish(work: Path, final: Path, ours: set[str]) -> None:
    """Let ``work`` take the place of ``final``; files in there that are not ours stay.

    Killed before the rename of ``work``, the next run finds the new version there; after it, the
    new version stands, and other people's files come back from the old one in the next run.
    """
    final = Path(os.path.realpath(final))  # the folder may be a link to a larger disk
    final.mkdir(parents=True, exist_ok=True)
    old, new = final.with_name(f".{final.name}.old"), final.with_name(f".{final.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    _bring_back(old, final, ours)
    for entry in work.iterdir():
        if entry.name not in ours:
            _remove(entry)
    final.rename(old)
    try:
        work.rename(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copytree(work, new, symlinks=True)
        new.rename(final)
        shutil.rmtree(work)
    _bring_back(old, final, ours)


def _bring_back(old: Path, final: Path, ours: set[str]) -> None:
    """Move what is not ours from the old version to the new one, then remove the old one."""
    if not old.exists():
        return
    for entry in old.iterdir():
        if entry.name not in ours:
            shutil.move(entry, final / entry.name)
    shutil.rmtree(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
