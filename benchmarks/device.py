"""Every method on one device: seconds of an epoch relative to joint, memory, whether it repeats.

Each method is trained twice from the same seed, on random features in memory: the first time for
three epochs, of which the fastest counts, the second time for one, after which the weights must be
those of the first. Methods that read a warm-up or a teacher are left out: their steps need another
run. What does not fit into memory is a row, not an end.

    python benchmarks/device.py [--device cuda] [--size crema_d] [--samples 512]
        [--precision bf16_channels_last] [METHOD ...]

Sizes are those of ``benchmarks/workload.py``. Seconds are those of ``benchmarks/training.py``.
"""

import argparse
import hashlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from training import time_loop
from workload import SIZES, make_method, make_run, make_trainer

from equipoise import registry
from equipoise.training.auto_precision import CANDIDATES
from equipoise.training.device import make_deterministic, pick_device

EPOCHS = 3
SAMPLES_OF_CREMA_D = 6698
"""Clips to train on, in the split of Peng et al. (CVPR 2022)."""


def epochs(chosen: argparse.Namespace, device: torch.device, name: str) -> Iterator[tuple]:
    """Train a method; yield the seconds of each epoch, and a digest of its weights after it."""
    method = make_method(name)
    run = make_run(chosen.size, chosen.samples, device, chosen.precision, method)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(run, method, Path(folder))
        for epoch in range(1, EPOCHS + 1):
            seconds = time_loop(trainer, epoch)
            digest = hashlib.sha256()
            for value in run.model.state_dict().values():
                digest.update(value.cpu().contiguous().view(-1).view(torch.uint8).numpy())
            yield seconds, digest.hexdigest()


def measure(chosen: argparse.Namespace, device: torch.device, name: str) -> tuple[float, str]:
    """Return the seconds of an epoch (NaN: it did not end), and what else there is to say."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    try:
        found = list(epochs(chosen, device, name))
        again = next(epochs(chosen, device, name))
    except torch.OutOfMemoryError:
        return float("nan"), "out of memory"
    said = "repeats" if again[1] == found[0][1] else "OTHER WEIGHTS the second time"
    if device.type == "cuda":
        said += f", {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB"
    return min(seconds for seconds, _ in found), said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", help="default: all that need no other run")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", choices=SIZES, default="crema_d")
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--precision", choices=CANDIDATES, default="bf16_channels_last")
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    device = pick_device(chosen.device)
    make_deterministic(device, 1)
    names = chosen.methods or [
        name
        for name, info in registry.methods().items()
        if not (info.needs_warmup or info.needs_teacher or name == "joint")
    ]
    joint = 0.0
    for name in ("joint", *names):
        seconds, said = measure(chosen, device, name)
        joint = joint or seconds
        print(f"{name:14} {seconds / joint:6.2f} x joint  {said}", flush=True)
    minutes = 100 * SAMPLES_OF_CREMA_D * joint / chosen.samples / 60
    unit = "CPU minutes" if device.type == "cpu" else "minutes"
    print(f"100 epochs of CREMA-D's {SAMPLES_OF_CREMA_D} clips, joint: {minutes:.1f} {unit}")


if __name__ == "__main__":
    main()
