"""Samples per second of the feature store as training reads it, against plain h5py.

The reference reads every array of the same file in order, slab by slab. The store is measured in
the ways that training uses: slabs in order (features held in memory), single rows in a shuffled
order, and what training does with features larger than memory: batches of 64, from rows and from
windows (train.shuffle_window). The aim is 0.5 of the reference for the first, and for windows 0.8,
or 3,000 samples/s where that is less.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import h5py
import numpy as np
import torch

from equipoise.store import shards
from equipoise.store.features import SCHEMA_VERSION, FeatureStore
from equipoise.store.join import Plan, join
from equipoise.training import order
from equipoise.training.source import Rows

SLAB, WINDOW = 256, 1024
KINDS = {"video": "frames", "audio": "sound"}


def make_store(folder: Path, samples: int) -> Path:
    shapes = {"video": ((8, 48, 48, 3), "uint8"), "audio": ((129, 51), "float16")}
    noise = np.random.default_rng(0)
    parts = []
    for start in range(0, samples, SLAB):
        count = min(SLAB, samples - start)
        arrays = {
            "video": noise.integers(0, 256, (count, 8, 48, 48, 3), np.uint8),
            "audio": noise.standard_normal((count, 129, 51)).astype(np.float16),
        }
        none = np.empty(0, np.int64)
        path = folder / f"{start}.npz"
        shards.write(path, shards.Shard(np.arange(count), arrays, none, []))
        parts.append((path, count))
    names = [f"s{number}" for number in range(samples)]
    tables = {m: {"kind": kind, "column": m} for m, kind in KINDS.items()}
    attributes = {
        "schema_version": SCHEMA_VERSION,
        "classes": '["a"]',
        "modalities": json.dumps(tables),
    }
    join(folder / "features.h5", parts, Plan(shapes, [0] * samples, names, names, attributes))
    return folder / "features.h5"


def plain(path: Path) -> int:
    with h5py.File(path, "r") as file:
        names = list(KINDS)
        for name in names:
            for start in range(0, len(file["label"]), SLAB):
                file[name][start : start + SLAB]
        return len(file["label"])


def slabs(path: Path) -> int:
    with FeatureStore(path) as store:
        for name in store.modalities:
            for start in range(0, len(store), SLAB):
                store.rows(name, start, min(start + SLAB, len(store)))
        return len(store)


def shuffled(path: Path) -> int:
    with FeatureStore(path) as store:
        order = list(range(len(store)))
        random.Random(0).shuffle(order)
        for start in range(0, len(order), 64):
            for name in store.modalities:
                np.stack([store.row(name, row) for row in order[start : start + 64]])
        return len(store)


def batches(path: Path, window: int | None = None) -> int:
    with FeatureStore(path) as store:
        parts = order.windows(len(store), (0, 1), window)
        places = list(torch.split(torch.cat(parts), 64))
        ends = order.spans(places, parts) if window else ()
        source = Rows(store, store.modalities, torch.device("cpu"))
        return sum(len(batch["video"]) for batch in source.batches(places, ends))


def windowed(path: Path) -> int:
    return batches(path, WINDOW)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, help="an existing features.h5")
    parser.add_argument("--samples", type=int, default=4000, help="samples of a file made here")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved; the median counts")
    options = parser.parse_args()
    sides: dict[str, Callable[[Path], int]] = {
        "plain h5py, in order": plain,
        "store, slabs in order": slabs,
        "store, rows shuffled": shuffled,
        "batches, rows": batches,
        f"batches, windows of {WINDOW}": windowed,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = options.features or make_store(Path(folder), options.samples)
        rates: dict[str, list[float]] = {name: [] for name in sides}
        plain(path)  # the file is in the page cache for all sides
        for _ in range(options.rounds):
            for name, read in sides.items():
                start = time.perf_counter()
                rates[name].append(read(path) / (time.perf_counter() - start))
        size = path.stat().st_size / 2**20
    found = {name: median(values) for name, values in rates.items()}
    for name, value in found.items():
        print(f"{name:24} {value:10.0f} samples/s")
    reference, ours, rows, single, windows = found.values()
    print(
        f"{size:.0f} MiB; ratio in order {ours / reference:.2f} (aim: 0.50), "
        f"shuffled {rows / reference:.2f}; batches: rows {single / reference:.2f}, windows "
        f"{windows / reference:.2f} (aim: 0.80 or 3,000 samples/s)"
    )


if __name__ == "__main__":
    main()
