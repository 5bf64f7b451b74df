"""A tiny learnable data set of any modalities, and a project folder around it."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from equipoise import files, layout, registry, vouch
from equipoise.params import (
    Encoder,
    Gap,
    Model,
    Runtime,
    SearchJob,
    Train,
    TrainJob,
    Warmup,
    WarmupJob,
)
from equipoise.stages.job import Job
from equipoise.store.features import SCHEMA_VERSION, FeatureStore
from equipoise.store.inputs import identity
from equipoise.store.seal import seal

TABLES = {
    "audio": {"kind": "sound", "rate": 1000, "seconds": 0.112, "n_fft": 16, "hop": 16},
    "video": {"kind": "frames", "pick": {"even": 2}, "size": 12},
    "image": {"kind": "image", "size": 12},
}
TABLES = {name: {"column": name, **table} for name, table in TABLES.items()}
#: As the kinds of TABLES are stored.
SHAPES = {"audio": (9, 8), "video": (2, 12, 12, 3), "image": (12, 12, 3)}
ENCODERS = {
    "audio": Encoder(name="conv_spectrogram"),
    "video": Encoder(name="conv_frames"),
    "image": Encoder(name="conv_frames"),
}
AUGMENT = {"audio": {}, "video": {"shift": 1}, "image": {"shift": 1}}
CLASSES = ["one", "two", "three"]


def arrays(modalities, count, seed=0):
    """Class k lights row 3k of a spectrogram and the k-th horizontal third of a picture."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    data = {}
    for m in modalities:
        noise = generator.normal(size=(count, *SHAPES[m]))
        for i, k in enumerate(labels):
            if len(SHAPES[m]) == 2:
                noise[i, 3 * k] += 3
            else:
                noise[i, ..., 4 * k : 4 * k + 4, :, :] += 3
        if len(SHAPES[m]) == 2:
            data[m] = noise.astype(np.float16)
        else:
            data[m] = np.clip(noise * 20 + 100, 0, 255).astype(np.uint8)
    return data, labels.astype(np.int64)


class MemoryStore:
    """A feature store without a file."""

    def __init__(self, modalities=("audio", "video"), count=60, seed=0):
        self.arrays, self.labels = arrays(modalities, count, seed)
        self.modalities = list(modalities)
        self.tables = {name: TABLES[name] for name in modalities}
        self.embedded = ()
        self.classes = CLASSES
        self.sample_ids = [f"clip{i:03d}" for i in range(count)]

    def shape(self, modality):
        return self.arrays[modality].shape[1:]

    def rows(self, modality, start, stop):
        return self.arrays[modality][start:stop]

    def row(self, modality, index):
        return self.arrays[modality][index]

    def packed(self, modality, start, stop):
        return None

    def nbytes(self, modality):
        return self.arrays[modality].nbytes


def splits(count=60):
    order = np.random.default_rng(5).permutation(count)
    parts = np.split(order, [int(0.6 * count), int(0.8 * count)])
    names = ("train", "val", "test")
    return {name: np.sort(part).astype(np.int64) for name, part in zip(names, parts, strict=True)}


def write_store(path, data, labels, ids, tables, **attributes):
    """Write a feature store."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in data.items():
            file[name] = array
        file["label"] = labels
        file["sample_id"] = np.array(ids, dtype="S16")
        file["group"] = np.array([""] * len(ids), dtype="S1")
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["modalities"] = json.dumps(tables)
        file.attrs["classes"] = json.dumps(CLASSES)
        for name, value in attributes.items():
            file.attrs[name] = value
    seal(path)


def write_project(modalities=("audio", "video"), count=60, seed=0, dataset="toy"):
    """Write features, split and (no) embeddings of a data set into the current folder."""
    data, labels = arrays(modalities, count, seed)
    ids = [f"clip{i:03d}" for i in range(count)]
    path = layout.features(dataset)["features"]
    tables = {name: TABLES[name] for name in modalities}
    write_store(path, data, labels, ids, tables)
    with FeatureStore(path) as store:
        write_store(
            layout.embed(dataset)["embeddings"], {}, labels, ids, {}, features=identity(store)
        )
    rows = [
        {"sample_id": ids[i], "subset": subset}
        for subset, part in splits(count).items()
        for i in part
    ]
    outputs = layout.split(dataset)
    files.write_csv(outputs["split"], ["sample_id", "subset"], rows)
    vouch.write(outputs["record"], {}, outputs["split"])


@contextmanager
def another_split(text):
    """Write another split.csv, and a record that vouches for it; then the old ones again."""
    outputs = layout.split("toy")
    kept = {path: path.read_bytes() for path in (outputs["split"], outputs["record"])}
    outputs["split"].write_text(text)
    vouch.write(outputs["record"], {}, outputs["split"])
    try:
        yield
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


TRAIN = Train(epochs=4, batch_size=16, learning_rate=5e-3)
MODEL = Model(features=16)
WARMUP = Warmup(epochs=2)
# Few samples and a model that is hardly trained: let any two components pass.
GAP = Gap(n_init=1, min_separation=0.0, min_weight=1e-6, max_components=2)


def job(stage, method="", seed=0, dataset="toy", code="", **runtime):
    runtime = {"device": "cpu", "checkpoint_seconds": 1e-9, **runtime}
    return Job(stage, dataset, method, seed, 1, Runtime(**runtime), code)


def warmup_settings(train=TRAIN, model=MODEL):
    return WarmupJob(model=model, encoders=ENCODERS, augment=AUGMENT, train=train, warmup=WARMUP)


#: Who teaches, where a method reads a trained run. No key of the table of methods: their tests move
#: the runs of that table away.
TEACHER = "unimodal"


def is_taught(method):
    """Whether this method reads a trained run."""
    return registry.methods()[registry.method_of(method)[0]].needs_teacher


def train_settings(options=None, warm=False, train=TRAIN, model=MODEL, teacher=None):
    return TrainJob(
        model=model,
        encoders=ENCODERS,
        augment=AUGMENT,
        train=train,
        warmup=WARMUP if warm else None,
        gap=GAP if warm else None,
        teacher=teacher,
        options=options or {},
    )


def search_settings(train, trials=1, train_changes=(), option_changes=()):
    return SearchJob(
        trials=trials,
        draw_seed=0,
        seed=0,
        train_changes=list(train_changes),
        option_changes=list(option_changes),
        train=train,
    )


def run_warmup(seed=0, **settings):
    from equipoise.stages import gap, warmup

    warmup.run(job("warmup", seed=seed), warmup_settings(**settings))
    gap.run(job("gap", seed=seed), GAP)


def run_train(
    method, options=None, warm=False, seed=0, runtime=None, **settings
) -> dict[str, Path]:
    from equipoise.stages import search, train

    teacher = TEACHER if is_taught(method) else None
    told = train_settings(options, warm, teacher=teacher, **settings)
    search.run(job("search", method), search_settings(told))
    train.run(job("train", method, seed, **(runtime or {})), told)
    return layout.train("toy", method, str(seed))


def history(paths):
    """Rows of history.csv of a trained model."""
    with paths["history"].open() as file:
        return list(csv.DictReader(file))


def contents(paths):
    """Bytes of each final file."""
    return {name: path.read_bytes() for name, path in paths.items()}
