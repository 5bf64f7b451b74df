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
from equipoise.store import shards
from equipoise.store.seal import seal

_FULL = 70
_FULL_ERRORS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@dataclass(frozen=True)
class Plan:
    """What the final file holds, besides the arrays in the shards."""

    shapes: dict[str, tuple[tuple[int, ...], str]]
    """Modality to the shape of one sample and its number type."""
    labels: list[int]
    sample_ids: list[str]
    groups: list[str]
    attributes: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        sample = sum(
            int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in self.shapes.values()
        )
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
            raise UserError(_explain(target, done.returncode, done.stderr, plan.nbytes))


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
            file.create_dataset(
                name,
                (len(plan.labels), *shape),
                kind,
                chunks=(1, *shape),
                fletcher32=True,
                track_times=False,
            )
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
            start = stop
        file.flush()
    seal(target)


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
