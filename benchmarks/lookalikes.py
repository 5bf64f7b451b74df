"""What stage audit's comparison of pictures costs: CPU seconds and peak memory, by samples.

Hashes of three frames (6,144 bits) drawn at random. ``others``: unrelated pictures, 200 to 1,500
bits set in each; one in a hundred is a copy of another with few bits changed. ``fixed camera``: all
are one scene with a hundredth of the bits changed, so that any two agree in some part and all are
compared with all. Hashes of real pictures lie between the two.

Before that, the cost of making the hash of a stored sample.

    python benchmarks/lookalikes.py [--samples 1000 10000 100000] [--fixed 1000 10000]
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from equipoise.audit.hashes import pairs
from equipoise.audit.near import TOLERANCE
from equipoise.modalities import looks
from equipoise.modalities.base import numbers_trace

BITS = 6144


def drawn(samples: int, fixed: bool) -> np.ndarray:
    dice = np.random.default_rng(0)
    scene = dice.random(BITS) < 0.1
    packed = np.empty((samples, BITS // 8), np.uint8)
    for number in range(samples):
        if fixed:
            one = scene ^ (dice.random(BITS) < 0.01)
        elif number % 100 == 1:
            one = np.unpackbits(packed[number - 1]).astype(bool)
            one ^= dice.random(BITS) < 0.01 * one.mean()
        else:
            one = dice.random(BITS) < dice.uniform(200, 1500) / BITS
        packed[number] = np.packbits(one)
    return packed


def one(samples: int, kind: str) -> None:
    packed = drawn(samples, kind == "fixed")
    before = time.process_time()
    found = sum(1 for _ in pairs(packed, TOLERANCE))
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{samples:7d} samples, {'fixed camera' if kind == 'fixed' else 'others':12s} "
        f"{seconds:8.1f} s of CPU, {peak:5.2f} GiB, {found} pairs",
        flush=True,
    )


def traces() -> None:
    """What it costs to make the hashes, and to compare sounds (by their bytes)."""
    dice = np.random.default_rng(0)
    video = dice.integers(0, 255, (3, 224, 224, 3), dtype=np.uint8)
    sound = dice.random((257, 625)).astype(np.float16)
    for name, call in (
        ("3 x 224 x 224 x 3 frames", lambda: looks.trace(video, 255)),
        ("257 x 625 sound", lambda: numbers_trace(sound, "silent")),
    ):
        call()
        before = time.process_time()
        for _ in range(100):
            call()
        print(f"{name}: {10 * (time.process_time() - before):.1f} s of CPU for 1,000 samples")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--fixed", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        one(int(told.one[0]), told.one[1])
        return
    traces()
    for kind, sizes in (("others", told.samples), ("fixed", told.fixed)):
        for samples in sizes:
            command = [sys.executable, __file__, "--one", str(samples), kind]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
