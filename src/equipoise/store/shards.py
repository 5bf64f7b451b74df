"""Shards: the decoded samples of a few manifest rows, kept until all of them are there.

A shard is an .npz file (uncompressed, a CRC-32 for each array), not HDF5: it is written by plain
``write`` calls, so that a full disk is an error and not the end of the process.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise import files
from equipoise.console import log
from equipoise.errors import UserError
from equipoise.modalities.packing import NAMES, Packed, pictures

Shapes = Mapping[str, tuple[tuple[int, ...], str]]
"""Modality to the shape of one sample and how it is kept: its number type, or its packing."""


@dataclass(frozen=True)
class Shard:
    """What became of consecutive manifest rows: every one is kept or rejected."""

    kept: NDArray[np.int64]
    """Positions of the decoded rows among the rows of this shard, ascending."""
    arrays: dict[str, NDArray[Any]]
    """Modality to array (len(kept), ...), where samples are kept as numbers."""
    rejected: NDArray[np.int64]
    """Positions of the other rows, ascending."""
    reasons: list[str]
    """Why, one for each rejected row."""
    decoder: str = ""
    """What decoded them: versions of libraries."""
    facts: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    """``<modality>.<fact>`` to one number for each kept row: what the settings did to it."""
    packed: dict[str, Packed] = field(default_factory=dict)
    """Modality to the kept samples, where they are packed."""


def write(path: Path, shard: Shard) -> None:
    """Write a shard, read it back, and only then give it its name.

    Raises:
        UserError: It could not be written; says where and how many bytes it needs.
    """
    arrays = {f"modality_{name}": array for name, array in shard.arrays.items()}
    arrays |= {f"fact_{name}": array for name, array in shard.facts.items()}
    arrays |= {f"bytes_{name}": one.data for name, one in shard.packed.items()}
    arrays |= {f"lengths_{name}": one.lengths for name, one in shard.packed.items()}
    size = sum(array.nbytes for array in arrays.values())
    with files.atomic_path(path) as temporary:
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    allow_pickle=False,
                    kept=shard.kept,
                    rejected=shard.rejected,
                    reasons=np.array(shard.reasons, dtype=np.str_),
                    decoder=np.array(shard.decoder, dtype=np.str_),
                    **arrays,
                )
            _load(temporary)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written: {error.strerror or error}; "
                f"it needs {size} bytes below {path.parent}"
            ) from None


def read(path: Path, rows: int, shapes: Shapes, decoder: str = "") -> Shard | None:
    """Read a shard; None if there is none or if it is damaged (it is then to be made again).

    Args:
        path: The file.
        rows: Manifest rows it must account for.
        shapes: What it must hold.
        decoder: What must have decoded it.

    Raises:
        UserError: Something else decoded it: versions are not mixed.
    """
    if not path.exists():
        return None
    try:
        shard = _load(path)
        ok = _fits(shard, rows, shapes)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        ok = False
    if not ok:
        log.warning("%s is damaged and will be made again", path)
        return None
    if shard.decoder != decoder:
        raise UserError(
            f"{path}: decoded by {shard.decoder or 'unknown libraries'}, but this run has "
            f"{decoder or 'unknown libraries'}; install the first, or delete {path.parent} to "
            "decode everything again"
        )
    return shard


def _load(path: Path) -> Shard:
    with np.load(path, allow_pickle=False) as file:

        def named(start: str) -> dict[str, NDArray[Any]]:
            names = [name for name in file.files if name.startswith(start)]
            return {name.removeprefix(start): file[name] for name in names}

        return Shard(
            file["kept"],
            named("modality_"),
            file["rejected"],
            [str(reason) for reason in file["reasons"]],
            str(file["decoder"]),
            named("fact_"),
            {name: Packed(data, file[f"lengths_{name}"]) for name, data in named("bytes_").items()},
        )


def _fits(shard: Shard, rows: int, shapes: Shapes) -> bool:
    positions = np.sort(np.concatenate([shard.kept, shard.rejected]))
    return (
        np.array_equal(positions, np.arange(rows))
        and len(shard.reasons) == len(shard.rejected)
        and set(shard.arrays) | set(shard.packed) == set(shapes)
        and all(len(values) == len(shard.kept) for values in shard.facts.values())
        and all(
            _packed_fits(shard.packed[name], (len(shard.kept), pictures(shape)))
            if kind in NAMES
            else shard.arrays[name].shape == (len(shard.kept), *shape)
            and shard.arrays[name].dtype == kind
            for name, (shape, kind) in shapes.items()
        )
    )


def _packed_fits(packed: Packed, counts: tuple[int, int]) -> bool:
    return packed.lengths.shape == counts and len(packed.data) == packed.lengths.sum()
