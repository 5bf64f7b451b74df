"""Bytes of a stored clip, and what they cost: raw, raw under gzip, JPEG of two qualities.

With ``--media``: of each of the first clips of a folder three frames of 224 are read, stored as
stage extract stores them, and read back in order and row by row, shuffled. CPU time of one process;
of each side the cheapest of some rounds in turns. gzip is no setting of equipoise: the same array
through h5py (byte shuffle, level 1), to say what it would be. A clip of uniform noise says what
JPEG takes at most. Sound: 257 x 299 numbers of float16, whatever it is.

With ``--accuracy FOLDER``: trains on the pictures of avdigits (MNIST; through EQUIPOISE_MIRROR
where there is no internet) for each way to store them, all else equal, and prints the test accuracy
of each seed in percent. The folder keeps what was downloaded.

    python benchmarks/storage.py --media FOLDER [--clips 100]
    python benchmarks/storage.py --accuracy FOLDER [--epochs 10] [--seeds 3]
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import h5py
import numpy as np

from equipoise.modalities.base import Reading, reader
from equipoise.modalities.packing import Jpeg, joined
from equipoise.modalities.sample import read_sample
from equipoise.store import shards
from equipoise.store.features import SCHEMA_VERSION, FeatureStore
from equipoise.store.join import Plan, join

ROOT = Path(__file__).resolve().parents[1]
FRAMES = {"pick": {"even": 3}, "size": 224, "fit": "crop"}
SOUND = 257 * 299 * 2
WAYS = {"raw": {}, "jpeg 95": {"store": "jpeg"}, "jpeg 85": {"store": "jpeg", "quality": 85}}
CLIPS, LIMIT = 200_000, 20e9
HEAD = (
    "               bytes a clip   of raw  mean error  packing  in order  shuffled   200,000 clips"
)
SUFFIXES = (".mp4", ".mpg", ".avi", ".flv", ".mkv", ".webm")


def cpu(action: Callable[[], object], rounds: int = 3) -> float:
    """CPU seconds of the cheapest round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    return best


def store(path: Path, readings: list[Reading], shape: tuple[int, ...], how: str) -> Path:
    """Write a feature store of one modality, as stage extract does."""
    packed = [one.packed for one in readings if one.packed]
    arrays = {} if packed else {"video": np.stack([one.array for one in readings])}
    count, none = len(readings), np.zeros(0, np.int64)
    kept = {"video": joined(packed, shape)} if packed else {}
    shards.write(
        path.with_suffix(".npz"), shards.Shard(np.arange(count), arrays, none, [], "", {}, kept)
    )
    names = [f"clip{n:06d}" for n in range(count)]
    attributes = {
        "schema_version": SCHEMA_VERSION,
        "classes": '["a"]',
        "modalities": '{"video": {}}',
    }
    plan = Plan({"video": (shape, how)}, [0] * count, names, names, attributes)
    join(path, [(path.with_suffix(".npz"), count)], plan)
    return path


def in_order(path: Path) -> None:
    with FeatureStore(path) as features:
        for start in range(0, len(features), 64):
            features.rows("video", start, min(start + 64, len(features)))


def shuffled(path: Path) -> None:
    with FeatureStore(path) as features:
        order = list(range(len(features)))
        random.Random(0).shuffle(order)
        for row in order:
            features.row("video", row)


def measure_bytes(folder: Path, clips: int) -> None:
    paths = sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES)[:clips]
    rows, first = [], None
    with tempfile.TemporaryDirectory() as name:
        for way, settings in WAYS.items():
            own = reader("video", "frames", FRAMES | settings)
            kept = own.stored()
            readings = [read_sample({"video": own}, {"video": path})["video"] for path in paths]
            first = first or readings
            raw = first[0].array
            pack = 0.0 if kept.packing is None else cpu(lambda k=kept, r=raw: k.packing.pack(r))
            path = store(Path(name) / f"{way}.h5", readings, kept.shape, kept.kept)
            off = mean(
                float(np.abs(a.array.astype(int) - b.array).mean())
                for a, b in zip(readings, first, strict=True)
            )
            times = [cpu(lambda p=path, f=f: f(p)) / len(paths) for f in (in_order, shuffled)]
            rows.append((way, path.stat().st_size / len(paths), off, pack, *times))
        packed = Path(name) / "gzip.h5"
        with h5py.File(packed, "w") as file:
            array = np.stack([one.array for one in first])
            options = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
            file.create_dataset("video", data=array, chunks=(1, *array.shape[1:]), **options)

        def read() -> None:
            with h5py.File(packed) as file:
                for row in range(len(paths)):
                    file["video"][row]

        seconds = cpu(read) / len(paths)
        rows.insert(
            1, ("raw, gzip 1", packed.stat().st_size / len(paths), 0.0, 0.0, seconds, seconds)
        )
    print(f"{len(paths)} clips of {folder.name}, frames {FRAMES}")
    print(HEAD)
    for way, size, off, *seconds in rows:
        ms = "".join(f"{1e3 * value:7.2f} ms" for value in seconds)
        total, fits = CLIPS * size, "fits" if CLIPS * size <= LIMIT else "does not fit"
        share = size / rows[0][1]
        print(
            f"{way:14}{size:13,.0f}  {share:7.3f}  {off:10.2f}{ms}   {total / 1e9:5.1f} GB, {fits}"
        )
    noise = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    for quality in (95, 85):
        size = len(Jpeg(quality).pack(noise).data)
        print(f"noise, jpeg {quality}: {size:,} bytes a clip, {CLIPS * size / 1e9:.1f} GB")
    print(f"sound: {SOUND:,} bytes a clip, {CLIPS * SOUND / 1e9:.1f} GB")


def stage(folder: Path, name: str, *more: str) -> None:
    command = [sys.executable, "-m", "equipoise.cli", name, *more, "--threads", "1"]
    files = [
        "--params",
        str(ROOT / "params.yaml"),
        "--overlay",
        str(ROOT / "configs/avdigits.yaml"),
    ]
    done = subprocess.run(
        [*command, *files, "--overlay", "overlay.json"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])


def overlay(settings: dict[str, object], epochs: int) -> dict[str, object]:
    """The pictures of avdigits alone, stored so."""
    import yaml

    table = yaml.safe_load((ROOT / "configs/avdigits.yaml").read_text())["datasets"]["avdigits"]
    told = {
        "modalities": {"video": table["modalities"]["video"] | settings},
        "encoders": {"video": table["encoders"]["video"]},
        "augment": {"video": table["augment"]["video"]},
    }
    return {
        "datasets": {"avdigits": table | told},
        "methods": {"from_scratch": {"joint": {}}, "from_warmup": {}},
        "train": {"epochs": epochs},
        "warmup": {"epochs": 1},
    }


def measure_accuracy(folder: Path, epochs: int, seeds: int) -> None:
    data, method = ("--dataset", "avdigits"), ("--method", "joint")
    folder.mkdir(parents=True, exist_ok=True)
    for way, settings in WAYS.items():
        (folder / "overlay.json").write_text(json.dumps(overlay(settings, epochs)))
        if not (folder / "data/raw/avdigits/media.sha256").exists():
            stage(folder, "download", *data)
        for before in ("extract", "split", "embed"):
            stage(folder, before, *data)
        stage(folder, "search", *data, *method)
        found = []
        for seed in range(seeds):
            for after in ("train", "evaluate"):
                stage(folder, after, *data, *method, "--seed", str(seed))
            path = folder / f"results/evaluate/avdigits/joint/seed{seed}/metrics.json"
            found.append(100 * json.loads(path.read_text())["test"]["accuracy"])
        size = (folder / "data/features/avdigits/features.h5").stat().st_size / 1e6
        each = " ".join(f"{value:.1f}" for value in found)
        print(f"{way:8} features.h5 {size:6.1f} MB  {each}  mean {mean(found):.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--media", type=Path)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--accuracy", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if options.media:
        measure_bytes(options.media, options.clips)
    if options.accuracy:
        measure_accuracy(options.accuracy.resolve(), options.epochs, options.seeds)


if __name__ == "__main__":
    main()
