"""Shards to the final HDF5 file, in a process of its own.

HDF5 ends the process that writes to a full disk with a segmentation fault. Here that is a child,
started with ``python -m equipoise.store.join``, whose end becomes an error message.
"""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import files
from equipoise.errors import UserError
from equipoise.modalities.packing import NAMES, Packed, pictures
from equipoise.store import shards
from equipoise.store.packed import lengths_of
from equipoise.store.seal import seal

#: Bytes under one checksum: about a sample of a few pictures, so that one is cheap to read.
PACKED_CHUNK = 1 << 16
_FULL = 70
_FULL_ERRORS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@dataclass(frozen=True)
class Plan:
    """What the final file holds, besides the arrays in the shards."""

    shapes: dict[str, tuple[tuple[int, ...], str]]
    """Modality to the shape of one sample and how it is kept: its number type, or its packing."""
    labels: list[int]
    sample_ids: list[str]
    groups: list[str]
    attributes: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, without those that are packed."""
        numbers = [told for told in self.shapes.values() if told[1] not in NAMES]
        sample = sum(int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in numbers)
        return sample * len(self.labels)


def join(target: Path, parts: Sequence[tuple[Path, int]], plan: Plan) -> None:
    """Write ``target`` from shards: verified, synced to disk and renamed; byte-reproducible.

    Args:
        target: The final file.
        parts: Shards in order, each with the number of manifest rows it accounts for.
        plan: Everything else.

    Raises:
        UserError: It could not be written; says where and how many bytes it needs.
    """
    with files.atomic_path(target) as temporary:
        task = {
            "target": str(temporary),
            "parts": [[str(path), rows] for path, rows in parts],
            "plan": asdict(plan),
        }
        done = subprocess.run(
            [sys.executable, "-m", "equipoise.store.join"],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            packed = any(kind in NAMES for _, kind in plan.shapes.values())
            size = sum(path.stat().st_size for path, _ in parts) if packed else plan.nbytes
            raise UserError(_explain(target, done.returncode, done.stderr, size))


def _explain(target: Path, status: int, said: str, size: int) -> str:
    if status < 0 or status in (_FULL, 128 + 11):
        why = "the disk is full or a file size limit is reached" if status == _FULL else ""
        why = why or f"the writing process died (exit {status}), as it does when the disk is full"
        return f"{target}: {why}; it needs {size} bytes below {target.parent}"
    last = (said.strip().splitlines() or ["no message"])[-1]
    last = last.removeprefix("equipoise.errors.").removeprefix("UserError: ")
    return f"{target}: cannot be written: {last}"


def main() -> None:
    """Child process: read the task from standard input, write the file, read it back."""
    task = json.load(sys.stdin)
    plan = Plan(**task["plan"])
    target = Path(task["target"])
    try:
        _write(target, [(Path(path), rows) for path, rows in task["parts"]], plan)
    except OSError as error:
        full = error.errno in _FULL_ERRORS or any(
            os.strerror(number) in str(error) for number in _FULL_ERRORS
        )
        if full:
            os._exit(_FULL)  # HDF5's clean-up at exit may crash
        raise
    from equipoise.store.features import FeatureStore, verify

    verify(target)
    with FeatureStore(target) as store:
        if len(store.labels) != len(plan.labels):
            raise UserError(f"{target}: {len(store.labels)} rows of {len(plan.labels)} written")


def _write(target: Path, parts: list[tuple[Path, int]], plan: Plan) -> None:
    import h5py

    with h5py.File(target, "w", libver=("v110", "v110")) as file:
        for name, (shape, kind) in plan.shapes.items():
            count = len(plan.labels)
            if kind in NAMES:
                _create_packed(file, name, shape, kind, count)
            else:
                _create(file, name, (count, *shape), kind, (1, *shape))
        _columns(file, plan)
        for name, value in sorted(plan.attributes.items()):
            file.attrs[name] = value
        start = 0
        for path, rows in parts:
            shard = shards.read(path, rows, plan.shapes, plan.attributes.get("decoder", ""))
            if shard is None:
                raise UserError(f"{path}: damaged; run extract again, it makes this shard anew")
            stop = start + len(shard.kept)
            for name, array in shard.arrays.items():
                file[name][start:stop] = array
            for name, packed in shard.packed.items():
                _append_packed(file, name, packed, start)
            start = stop
        file.flush()
    seal(target)


def _create(
    file: Any, name: str, shape: tuple[int, ...], kind: str, chunks: tuple[int, ...], **more: Any
) -> Any:
    return file.create_dataset(
        name, shape, kind, chunks=chunks, fletcher32=True, track_times=False, **more
    )


def _create_packed(file: Any, name: str, shape: tuple[int, ...], kind: str, count: int) -> None:
    """All bytes in one row, and how long each picture is: rows and slabs are one read."""
    array = _create(file, name, (0,), "uint8", (PACKED_CHUNK,), maxshape=(None,))
    array.attrs["packing"], array.attrs["shape"] = kind, shape
    each = pictures(shape)
    _create(file, lengths_of(name), (count, each), "int32", (min(count, 4096), each))


def _append_packed(file: Any, name: str, packed: Packed, start: int) -> None:
    array, lengths = file[name], file[lengths_of(name)]
    end = len(array)
    array.resize(end + len(packed.data), axis=0)
    array[end:] = packed.data
    lengths[start : start + len(packed.lengths)] = packed.lengths


def _columns(file: Any, plan: Plan) -> None:
    """Write labels and strings; fixed-length strings lie under the checksum, others would not."""
    import h5py

    texts: Mapping[str, list[str]] = {"sample_id": plan.sample_ids, "group": plan.groups}
    columns = {"label": np.array(plan.labels, np.int64)}
    for name, values in texts.items():
        encoded = [value.encode() for value in values]
        length = max(1, *map(len, encoded))
        columns[name] = np.array(encoded, h5py.string_dtype("utf-8", length))
    for name, column in columns.items():
        chunks = (min(len(column), 4096),)
        file.create_dataset(name, data=column, chunks=chunks, fletcher32=True, track_times=False)


if __name__ == "__main__":
    main()
