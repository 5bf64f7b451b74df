"""Training samples/s of the loop against the bare model step on the same tensors.

The reference is forward, loss, backward and optimiser step on batches that lie prepared on the
device: no reading, no normalisation, no augmentation, no metrics. The loop does all of that. Both
run in turns in one process; of each the fastest round counts, as others share the machine. On a
CPU the seconds are CPU time of the process.

    python benchmarks/training.py [--size demo] [--method joint-concat] [--device cpu] [--compile]

Sizes are those of ``benchmarks/workload.py``.
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
from workload import SIZES, make_method, make_run, make_trainer

from equipoise.methods.base import Batch, head_loss
from equipoise.training.auto_precision import CANDIDATES, NAME, settled
from equipoise.training.device import autocast, make_deterministic, pick_device
from equipoise.training.loop import Trainer
from equipoise.training.run import Run


def clock(device: torch.device) -> float:
    """Seconds: CPU time of the process, or on a GPU the time at which all work is done."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def time_loop(trainer: Trainer, epoch: int) -> float:
    """Seconds of one epoch of the loop, validation apart."""
    begin = clock(trainer.run.device)
    trainer._train_epoch(epoch, 0)
    seconds = clock(trainer.run.device) - begin
    trainer._plan = trainer._totals = None
    return seconds


def time_bare(run: Run, batches: list[Batch]) -> float:
    """Seconds of the same number of bare steps, on the same batches, prepared."""
    run.model.train()
    begin = clock(run.device)
    for batch in batches:
        with autocast(run.device, run.settings.precision):
            output = run.model(batch.inputs, detach_heads=True)
        loss = functional.cross_entropy(output.logits, batch.labels)
        loss = loss + head_loss(output, batch.labels)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        run.optimizer.step()
    return clock(run.device) - begin


def choose(size: str, samples: int, device: torch.device, method: str) -> str:
    """Return what ``train.precision: auto`` takes, and print what it measured."""
    run = make_run(size, samples, device, "fp32", make_method(method))
    with tempfile.TemporaryDirectory() as folder:
        asked = run.settings.model_copy(update={"precision": "auto"})
        chosen = settled(run.model, run.data, asked, (0, 1), Path(folder)).precision
        print(f"auto: {Path(folder, NAME).read_text().strip()}")
    return chosen


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="demo")
    parser.add_argument("--samples", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=(*CANDIDATES, "auto"), default="fp32")
    parser.add_argument(
        "--method", default="joint-concat", help="of the loop; the bare step: joint"
    )
    parser.add_argument("--compile", action="store_true", help="encoders by torch.compile, both")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    logging.disable(logging.WARNING)
    device = pick_device(chosen.device)
    make_deterministic(device, chosen.threads)
    method = make_method(chosen.method)
    if chosen.precision == "auto":
        chosen.precision = choose(chosen.size, chosen.samples, device, chosen.method)
    run = make_run(chosen.size, chosen.samples, device, chosen.precision, method)
    if chosen.compile:
        for encoder in run.model.encoders.values():
            encoder.compile()
    rows = np.arange(chosen.samples)
    batches = list(run.data.shuffled(rows, run.settings.batch_size, (0, 1)))
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(run, method, Path(folder))
        times = {"bare": [], "loop": []}
        for epoch in itertools.count(1):
            bare, loop = time_bare(run, batches), time_loop(trainer, epoch)
            if epoch > 1:  # the first round warms up
                times["bare"].append(bare)
                times["loop"].append(loop)
            if epoch > chosen.rounds:
                break
    speed = {name: chosen.samples / min(values) for name, values in times.items()}
    shapes = {m: run.data.streams.inputs[m].shape for m in run.data.modalities}
    print(
        f"device {device}, {chosen.precision}{', compiled' * chosen.compile}, {chosen.threads} "
        f"threads, {chosen.method}, {chosen.samples} samples of {shapes}, "
        f"batches of {run.settings.batch_size}"
    )
    unit = "CPU s" if device.type == "cpu" else "s"
    print(f"bare step  {speed['bare']:10.1f} samples/{unit}")
    print(f"loop       {speed['loop']:10.1f} samples/{unit}")
    print(f"ratio      {speed['loop'] / speed['bare']:10.3f}")
    if device.type == "cuda":
        print(f"memory     {torch.cuda.max_memory_allocated() / 2**30:10.2f} GiB at most")


if __name__ == "__main__":
    main()
