"""CPU time of a training sample in each precision, against a step as released programs take it.

Two ResNet-18, one frame of 224 pixels and a spectrogram (size "lfm": 257 x 1250, as the program of
LFM has it), batches of 64, one thread. Its kind of step is the row "usual": torchvision's networks,
a head each, float32 in PyTorch's own layout, memory as the C library manages it; reading the files
comes on top there (``benchmarks/feeding.py``), while the other rows are equipoise's whole loop.
Each measurement is a process of its own, in turns; of a few steps the fastest counts, as the first
ones are given their memory by the system, page by page.

    python benchmarks/precision.py [--size lfm] [--rounds 1] [--old PATH]

PATH is a checkout of e5f6ce9, measured with a ResNet-18 in place of its encoders.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import resnet18

SPECTROGRAMS = {"lfm": (257, 1250), "crema_d_one_frame": (257, 298)}
"""Of sizes of ``benchmarks/workload.py``."""
PICTURE, CLASSES, BATCH = (224, 224), 6, 64
STEPS = 4


def fastest(step: Callable[[], object]) -> float:
    """Return the CPU seconds of the fastest of STEPS."""
    seconds = []
    for _ in range(STEPS):
        begin = time.process_time()
        step()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def network(channels: int, outputs: int) -> nn.Module:
    """Return a ResNet-18 for pictures of so many channels."""
    net = resnet18(weights=None, num_classes=outputs)
    net.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    return net


def usual(size: str) -> float:
    """A step of LFM's released program: two networks and heads, mean logits, divergence, SGD."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    nets = nn.ModuleList([network(1, CLASSES), network(3, CLASSES)])
    optimizer = torch.optim.SGD(nets.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    inputs = torch.randn(BATCH, 1, *SPECTROGRAMS[size]), torch.randn(BATCH, 3, *PICTURE)
    labels = torch.randint(CLASSES, (BATCH,))

    def step() -> None:
        logits = [net(x) for net, x in zip(nets, inputs, strict=True)]
        mean = torch.stack([z.softmax(1) for z in logits]).mean(0).log()
        align = sum(functional.kl_div(mean, z.softmax(1), reduction="batchmean") for z in logits)
        optimizer.zero_grad()
        (functional.cross_entropy(sum(logits) / 2, labels) + align / 2).backward()
        optimizer.step()

    return fastest(step)


def loop(size: str, precision: str) -> float:
    """A step of this version's loop."""
    from workload import make_method, make_run, make_trainer

    from equipoise.training.device import make_deterministic

    make_deterministic(torch.device("cpu"), 1)
    method = make_method("joint-concat")
    run = make_run(size, BATCH, torch.device("cpu"), precision, method)
    return _epochs(make_trainer(run, method, Path()))


def _epochs(trainer: object) -> float:
    """Each epoch is one step; by hand, as ``time_loop`` of e5f6ce9 has another clock."""

    def step() -> None:
        trainer._train_epoch(1, 0)
        trainer._plan = trainer._totals = None

    return fastest(step)


class OldEncoder(nn.Module):
    """What e5f6ce9 asks of an encoder, as a ResNet-18."""

    def __init__(self, shape: tuple[int, ...], features: int) -> None:
        super().__init__()
        self.net = network(1 if len(shape) == 2 else 3, features)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (B, 1, freq, time) or (B, 1, C, H, W) to (B, D)."""
        return torch.relu(self.net(inputs[:, 0] if inputs.dim() == 5 else inputs))


def old_loop(size: str, precision: str) -> float:
    """A step of the loop of e5f6ce9."""
    sys.path.insert(0, str(Path(os.environ["PYTHONPATH"]).parent / "benchmarks"))
    import training as bench

    import equipoise.models.build as old

    old.build_encoder = lambda name, shape, features: OldEncoder(tuple(shape), features)
    bench.SHAPES, bench.CLASSES = {"audio": SPECTROGRAMS[size], "video": (1, *PICTURE, 3)}, CLASSES
    settings = bench.Train
    bench.Train = lambda **given: settings(batch_size=BATCH, **given)
    bench.make_deterministic(torch.device("cpu"), 1)
    run = bench.build(BATCH, torch.device("cpu"), precision)
    method = bench.create("joint-concat", {})
    method.attach(run.model, {})
    method.setup(run)
    return _epochs(bench.Trainer(run, method, bench.Checkpoints(Path(), 3600.0)))


ROWS: dict[str, Callable[[str], float]] = {
    "usual, fp32": usual,
    "equipoise, fp32": lambda size: loop(size, "fp32"),
    "equipoise, bf16": lambda size: loop(size, "bf16"),
    "equipoise, bf16_channels_last": lambda size: loop(size, "bf16_channels_last"),
    "e5f6ce9, fp32": lambda size: old_loop(size, "fp32"),
    "e5f6ce9, bf16": lambda size: old_loop(size, "bf16"),
}


def measure(row: str, size: str, tree: Path) -> float:
    """Return the CPU milliseconds a sample of a row, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--size", size, "--row", row],
        env=os.environ | {"PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return 1000 * float(done.stdout.split()[-1]) / BATCH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SPECTROGRAMS, default="lfm")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--old", type=Path)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.row:
        print(ROWS[chosen.row](chosen.size))
        return
    here = Path(__file__).resolve().parents[1]
    old = chosen.old.resolve() if chosen.old else None
    trees = {row: old if row.startswith("e5f6ce9") else here for row in ROWS}
    found = {row: [] for row, tree in trees.items() if tree}
    for _ in range(chosen.rounds):
        for row, values in found.items():
            values.append(measure(row, chosen.size, trees[row]))
    best = median(found["equipoise, bf16_channels_last"])
    for row, values in found.items():
        spread = " to ".join(f"{value:.0f}" for value in sorted(values))
        print(f"{row:30} {median(values):7.0f} CPU ms a sample ({spread})", end="  ")
        print(f"{median(values) / best:5.2f} x bf16_channels_last")


if __name__ == "__main__":
    main()
