"""Training samples/s of the loop against the bare model step on the same tensors.

The reference is forward, loss, backward and optimiser step on batches that lie prepared on the
device: no reading, no normalisation, no augmentation, no metrics. The loop does all of that. Both
run in turns in one process; of each the fastest round counts, as others share the machine.

    python benchmarks/training.py [--samples 768] [--rounds 5] [--threads 2] [--device cpu]
"""

import argparse
import itertools
import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from equipoise.methods.base import Batch, create, head_loss
from equipoise.models.build import build_model
from equipoise.params import Model, Train
from equipoise.training.checkpoint import Checkpoints
from equipoise.training.data import Augmentation, Data
from equipoise.training.device import autocast, make_deterministic, pick_device
from equipoise.training.loop import Trainer
from equipoise.training.run import Run, make_optimizer

SHAPES = {"audio": (129, 51), "video": (8, 48, 48, 3)}
"""Of the embedded corpus at the default extraction settings."""
CLASSES = 10


class Store:
    """Random features in memory."""

    def __init__(self, samples: int) -> None:
        self.modalities = list(SHAPES)
        self.classes = [str(k) for k in range(CLASSES)]
        generator = np.random.default_rng(0)
        self.arrays = {
            "audio": generator.normal(size=(samples, *SHAPES["audio"])).astype(np.float16),
            "video": generator.integers(0, 255, (samples, *SHAPES["video"])).astype(np.uint8),
        }
        self.labels = generator.integers(0, CLASSES, samples)
        self.sample_ids = [str(i) for i in range(samples)]

    def shape(self, modality: str) -> tuple[int, ...]:
        """Shape of one sample."""
        return SHAPES[modality]

    def rows(self, modality: str, start: int, stop: int) -> np.ndarray:
        """Rows start to stop."""
        return self.arrays[modality][start:stop]

    def row(self, modality: str, index: int) -> np.ndarray:
        """One row."""
        return self.arrays[modality][index]


def build(samples: int, device: torch.device, precision: str) -> Run:
    settings = Train(epochs=10**6, precision=precision, schedule="constant")
    splits = {name: np.arange(samples) for name in ("train", "val", "test")}
    data = Data(Store(samples), splits, device, 8.0)
    torch.manual_seed(0)
    model = build_model(SHAPES, Model().encoders, "concat", Model().features, CLASSES).to(device)
    optimizer = make_optimizer(list(model.parameters()), settings)
    return Run(model, optimizer, data, settings, device, 0, 1, 10**6)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_loop(trainer: Trainer, epoch: int) -> float:
    """Seconds of one epoch of the loop, validation apart."""
    wait(trainer.run.device)
    begin = time.perf_counter()
    trainer._train_epoch(epoch, 0)
    wait(trainer.run.device)
    trainer._plan = trainer._totals = None
    return time.perf_counter() - begin


def time_bare(run: Run, batches: list[Batch]) -> float:
    """Seconds of the same number of bare steps, on the same batches, prepared."""
    run.model.train()
    wait(run.device)
    begin = time.perf_counter()
    for batch in batches:
        with autocast(run.device, run.settings.precision):
            output = run.model(batch.inputs, detach_heads=True)
        loss = functional.cross_entropy(output.logits, batch.labels)
        loss = loss + head_loss(output, batch.labels)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        run.optimizer.step()
    wait(run.device)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    device = pick_device(options.device)
    make_deterministic(device, options.threads)
    run = build(options.samples, device, options.precision)
    method = create("joint-concat", {})
    method.attach(run.model, {})
    method.setup(run)
    settings, rows = run.settings, np.arange(options.samples)
    plain = run.data.shuffled(rows, settings.batch_size, (0, 1), Augmentation())
    batches = list(plain)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(run, method, Checkpoints(Path(folder), 3600.0))
        times = {"bare": [], "loop": []}
        for epoch in itertools.count(1):
            bare, loop = time_bare(run, batches), time_loop(trainer, epoch)
            if epoch > 1:  # the first round warms up
                times["bare"].append(bare)
                times["loop"].append(loop)
            if epoch > options.rounds:
                break
    speed = {name: options.samples / min(values) for name, values in times.items()}
    print(
        f"device {device}, {options.precision}, {options.threads} threads, "
        f"{options.samples} samples of {SHAPES}, batches of {settings.batch_size}"
    )
    print(f"bare step  {speed['bare']:10.1f} samples/s")
    print(f"loop       {speed['loop']:10.1f} samples/s")
    print(f"ratio      {speed['loop'] / speed['bare']:10.3f}  (aim >= 0.9)")


if __name__ == "__main__":
    main()
