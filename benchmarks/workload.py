"""Training jobs of stated sizes on random features in memory, for the benchmarks."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.methods.base import Method, create
from equipoise.modalities.base import reader
from equipoise.models.build import build_model
from equipoise.params import Encoder, Train
from equipoise.registry import without
from equipoise.training.checkpoint import Checkpoints
from equipoise.training.data import Data
from equipoise.training.device import in_format
from equipoise.training.loop import Trainer
from equipoise.training.run import Run, make_optimizer, parameter_groups

Table = dict[str, Any]

#: Modalities as params.yaml names them, encoders, augmentation, classes, length of features, batch.
SIZES: dict[str, Table] = {
    "demo": {
        "modalities": {
            "audio": {"kind": "sound", "rate": 8000, "seconds": 0.8, "n_fft": 256, "hop": 128},
            "video": {"kind": "frames", "pick": {"even": 4}, "size": 32},
        },
        "encoders": {"audio": "conv_spectrogram", "video": "conv_frames"},
        "augment": {"video": {"shift": 2}},
        "classes": 10,
        "features": 64,
        "batch": 32,
    },
    # CREMA-D as most released programs read it: 257 x 299 of 3 s, frames of 224, two ResNet-18.
    "crema_d": {
        "modalities": {
            "audio": {"kind": "sound", "rate": 22050, "seconds": 3.0, "n_fft": 512, "hop": 222},
            "video": {"kind": "frames", "pick": {"even": 3}, "size": 224},
        },
        "encoders": {"audio": "resnet18", "video": "resnet18"},
        "augment": {"video": {"crop": {"size": 224}, "flip": 0.5}},
        "classes": 6,
        "features": 512,
        "batch": 64,
    },
}
SIZES["crema_d_one_frame"] = {
    **SIZES["crema_d"],
    "modalities": {
        "audio": SIZES["crema_d"]["modalities"]["audio"],
        "video": {"kind": "frames", "pick": {"even": 1}, "size": 224},
    },
}
# As the released program of LFM reads it: 20 s of sound, 257 x 1250.
SIZES["lfm"] = {
    **SIZES["crema_d"],
    "modalities": {
        "audio": {"kind": "sound", "rate": 22050, "seconds": 20.0, "n_fft": 512, "hop": 353},
        "video": SIZES["crema_d_one_frame"]["modalities"]["video"],
    },
}


class Store:
    """Random features in memory."""

    def __init__(self, size: Table, samples: int) -> None:
        self.tables = {m: {"column": m, **table} for m, table in size["modalities"].items()}
        self.modalities = list(self.tables)
        self.embedded = ()
        self.classes = [str(k) for k in range(size["classes"])]
        generator = np.random.default_rng(0)
        self.labels = generator.integers(0, size["classes"], samples)
        self.sample_ids = [str(i) for i in range(samples)]
        self.arrays = {}
        for m, table in self.tables.items():
            stored = reader(m, table["kind"], without(table, "kind", "column")).stored()
            shape = (samples, *stored.shape)
            self.arrays[m] = (
                generator.integers(0, 255, shape, np.uint8)
                if stored.dtype == "uint8"
                else generator.standard_normal(shape, np.float32).astype(stored.dtype)
            )

    def shape(self, modality: str) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.arrays[modality].shape[1:]

    def rows(self, modality: str, start: int, stop: int) -> np.ndarray:
        """Rows start to stop."""
        return self.arrays[modality][start:stop]

    def row(self, modality: str, index: int) -> np.ndarray:
        """One row."""
        return self.arrays[modality][index]

    def packed(self, modality: str, start: int, stop: int) -> None:
        """Nothing is."""

    def nbytes(self, modality: str) -> int:
        """Bytes of all samples."""
        return self.arrays[modality].nbytes


def make_run(
    name: str, samples: int, device: torch.device, precision: str, method: Method[Any]
) -> Run:
    """Return a run of a size of SIZES; all samples are in each subset."""
    size = SIZES[name]
    settings = Train(
        epochs=10**6, precision=precision, schedule="constant", batch_size=size["batch"]
    )
    splits = {subset: np.arange(samples) for subset in ("train", "val", "test")}
    data = Data(Store(size, samples), splits, device, 16.0, augment=size["augment"])
    torch.manual_seed(0)
    encoders = {m: Encoder(name=encoder) for m, encoder in size["encoders"].items()}
    model = build_model(
        data.streams.inputs, encoders, method.fusion("concat"), size["features"], size["classes"]
    ).to(device)
    in_format(model, precision)
    optimizer = make_optimizer(parameter_groups(model), settings)
    return Run(model, optimizer, data, settings, device, 0, 1, 10**6)


def make_trainer(run: Run, method: Method[Any], folder: Path) -> Trainer:
    """Return the loop of a run whose model the method has not seen yet; checkpoints in a folder."""
    method.attach(run.model, {})
    method.setup(run)
    return Trainer(run, method, Checkpoints(folder, 3600.0))


def make_method(key: str, options: dict[str, Any] | None = None) -> Method[Any]:
    """Return a method by its name."""
    return create(key, options or {})
