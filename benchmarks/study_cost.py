"""CPU time of training each method of the study, for the column ``cost``; run it in its folder.

Trains some seeds again on an otherwise idle machine, as many at a time as there are cores, one
thread each. Prints the times, which ``equipoise show --differences`` reads too, and whether
the files are the bytes of the study. Times of other seeds, measured otherwise, are deleted.
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from project import run_job

from equipoise import files, layout, params, timing

OVERLAY = Path("configs/study.yaml")


def train(stage: str, *cell: str) -> str:
    """Run one job; return a line about it."""
    paths = layout.outputs(stage, *cell).values()
    before = [files.sha256(path) for path in paths]
    names = [f"--{name}" for name in layout.CELL[stage]]
    told = [word for pair in zip(names, cell, strict=True) for word in pair]
    if not run_job(stage, *told, "--overlay", str(OVERLAY)):
        sys.exit(f"error: {stage} {' '.join(cell)} failed; is the study complete?")
    seconds = timing.cpu_seconds(layout.timing(stage, *cell))
    same = before == [files.sha256(path) for path in paths]
    return f"{' '.join((stage, *cell)):50} {seconds:6.1f} s  {'same' if same else 'OTHER'} bytes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", default=["0", "1"])
    options = parser.parse_args()
    study = params.load(overlays=[OVERLAY])
    for path in Path("state/timing").rglob("seed*.json"):
        path.unlink()
    jobs = [("warmup", dataset, seed) for seed in options.seeds for dataset in study.datasets]
    jobs += [
        ("train", dataset, method, seed)
        for seed in options.seeds
        for dataset in study.datasets
        for method in study.method_names
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for line in pool.map(lambda job: train(*job), jobs):
            print(line, flush=True)


if __name__ == "__main__":
    main()
