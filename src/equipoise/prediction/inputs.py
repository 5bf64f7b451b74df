"""What is to be predicted: media files, folders of them and manifests become a list of clips."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from equipoise.console import log
from equipoise.data import manifest as manifests
from equipoise.errors import UserError

#: Files of a folder are known by their suffix. A file that is named itself is tried in any case.
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
PICTURE_AND_SOUND = (
    *(".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".ogv", ".ts", ".webm", ".wmv"),
    *(".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"),
)


@dataclass(frozen=True)
class Clip:
    """One sample to predict."""

    sample_id: str
    """Of the manifest; of a file without manifest its path as given."""
    files: dict[str, Path]
    """Modality to the file that may hold it."""


def find_clips(paths: Sequence[Path], modalities: Sequence[str]) -> list[Clip]:
    """Return the clips behind ``paths``, in their order; one that is named twice comes once.

    Args:
        paths: Media files; manifests (``.csv``); folders, which mean their ``manifest.csv`` or, if
            they have none, all media files below them in the order of their names.
        modalities: Those of the model: a manifest must have a column of one of them.

    Raises:
        UserError: No path, a path that is not there, a folder without media, a manifest that
            cannot be used, two samples with the same name.
    """
    found: dict[str, Clip] = {}
    for clip in (clip for path in paths for clip in _below(path, modalities)):
        if found.setdefault(clip.sample_id, clip) != clip:
            raise UserError(
                f"sample_id {clip.sample_id!r} names two samples, of different manifests; "
                "predict them one after the other"
            )
    if not found:
        raise UserError("nothing to predict; name media files, folders of them or a manifest.csv")
    return list(found.values())


def _below(path: Path, modalities: Sequence[str]) -> Iterator[Clip]:
    if path.is_dir():
        inside = path / "manifest.csv"
        return _manifest(inside, modalities) if inside.is_file() else _folder(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return _manifest(path, modalities) if path.suffix.lower() == ".csv" else iter([_file(path)])


def _file(path: Path) -> Clip:
    kinds = ("image",) if path.suffix.lower() in PICTURES else ("video", "audio")
    return Clip(str(path), dict.fromkeys(kinds, path))


def _folder(folder: Path) -> Iterator[Clip]:
    visible = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    media = [path for path in visible if path.suffix.lower() in PICTURES + PICTURE_AND_SOUND]
    if not media:
        raise UserError(
            f"{folder}: no file in it has the suffix of media; name unusual files one by one"
        )
    if others := len(visible) - len(media):
        log.warning("%s: %d file(s) without the suffix of media are left out", folder, others)
    return map(_file, media)


def _manifest(path: Path, modalities: Sequence[str]) -> Iterator[Clip]:
    manifest = manifests.read(path, labelled=False)
    if not set(modalities) & set(manifest.sources):
        raise UserError(
            f"{path}: names files of {', '.join(manifest.sources)}, but the model reads "
            f"{', '.join(modalities)}; add such a column"
        )
    for row in manifest.rows:
        yield Clip(row.sample_id, {m: manifest.file(row, m) for m in row.sources})
