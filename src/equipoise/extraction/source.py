"""What stage extract reads: manifest, checksums, settings; and where its shards lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise import files, layout, registry
from equipoise.data import manifest as manifests
from equipoise.data.manifest import Column, Manifest
from equipoise.errors import UserError
from equipoise.media.version import decoder
from equipoise.modalities.base import Reader, identities, readers
from equipoise.modalities.sample import too_large
from equipoise.params import Extract, ExtractJob


@dataclass(frozen=True)
class Source:
    """One data set to extract. The manifest is read when rows are wanted: it may be large."""

    dataset: str
    settings: ExtractJob
    readers: dict[str, Reader[Any]]
    total: int
    """Rows of the manifest."""
    origin: dict[str, str]
    """What the features are made from: checksums, libraries, weights."""
    scratch: Path
    """Where the shards are kept until all are there; its name is made of settings and origin."""

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Modality to the shape of one sample and how it is kept."""
        stored = {name: reader.stored() for name, reader in self.readers.items()}
        return {name: (kind.shape, kind.kept) for name, kind in stored.items()}

    @property
    def told(self) -> dict[str, Any]:
        """The settings that decide what the features are: not in how many parts they are made."""
        left_out = {"parts"} | _usual(self.settings.extract)
        return self.settings.model_dump(mode="json", exclude={"extract": left_out})

    def numbers(self, part: int | None = None) -> range:
        """Return the numbers of the shards of one part, or of all: every N-th one."""
        size = self.settings.extract.shard_rows
        shards = range(-(-self.total // size))
        return shards if part is None else shards[part :: self.settings.extract.parts]

    def shard(self, number: int) -> tuple[Path, int]:
        """Return where a shard lies, and how many rows it accounts for."""
        size = self.settings.extract.shard_rows
        rows = min(size, self.total - number * size)
        return self.scratch / f"{number:06d}.npz", rows

    def manifest(self, keep: Callable[[int], bool]) -> Manifest:
        """Read the manifest.

        Args:
            keep: Whether the cells of the row at a position are wanted; of the others, only id,
                label and group are held.

        Raises:
            UserError: It is not as stage download wrote it.
        """
        columns = {
            name: Column(table["column"], registry.is_inline(table))
            for name, table in self.settings.modalities.items()
        }
        return manifests.read(layout.raw(self.dataset)["manifest"], columns, keep=keep)


def open_source(dataset: str, settings: ExtractJob) -> Source:
    """Return what one job of stage extract reads.

    Raises:
        UserError: Stage download has not run, or a sample would be larger than any memory.
    """
    raw = layout.raw(dataset)
    if not raw["checksums"].exists():
        raise UserError(f"{raw['checksums']}: no such file; run stage download first")
    made_from = {
        "manifest_sha256": files.sha256(raw["manifest"]) if raw["manifest"].is_file() else "",
        "media_sha256": files.sha256(raw["checksums"]),
    }
    total, how = manifests.count(raw["manifest"]), readers(settings.modalities)
    for line in too_large(how):
        raise UserError(f"data set {dataset!r}: {line}")
    libraries = {"decoder": decoder(), "identity": identities(how)}
    source = Source(dataset, settings, how, total, made_from | libraries, Path())
    told = {name: value for name, value in source.told.items() if name != "extract"}
    left_out = {"parts", "max_reject_fraction"} | _usual(settings.extract)
    extract = settings.extract.model_dump(mode="json", exclude=left_out)
    state = layout.state("extract", dataset) / files.digest([told, extract, made_from])
    return Source(dataset, settings, how, total, source.origin, state)


def _usual(extract: Extract) -> set[str]:
    """Return what is told only where it is not the default: it came after many features."""
    return {"tolerance"} if extract.tolerance == Extract().tolerance else set()


def expect_media(source: Source, manifest: Manifest, positions: Iterable[int]) -> dict[str, str]:
    """Refuse rows that name files which are not there or were never downloaded.

    Returns:
        Path of each of their files, as the manifest names it, to the checksum it must have.
    """
    raw = layout.raw(source.dataset)
    rows = [manifest.rows[position] for position in positions]
    wanted = {name for row in rows for name in manifest.paths(row)}
    lines = files.sha256_lines(raw["checksums"])
    checksums = {name: checksum for name, checksum in lines if name in wanted}
    missing = [
        f"row {row.number}: {name!r}"
        for row in rows
        for name in manifest.paths(row)
        if name not in checksums or not (manifest.folder / name).is_file()
    ]
    if missing:
        raise UserError(
            f"{raw['manifest']}: {len(missing)} media file(s) are missing, first {missing[0]}; "
            "run stage download again"
        )
    return checksums
