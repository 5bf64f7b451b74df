"""A study of short jobs with and without the fork server: CPU time, wall time, same bytes or not.

Makes a project (a copy of this one) with a small ``keypad``, then runs its graph from the split on
with ``runtime.fork_server`` off and on, in turns, each from the same extracted features. A seed
makes eight jobs: warm-up, mixture, and training and evaluation of three methods.

    python benchmarks/forking.py [--seeds 8] [--rounds 1] [--cores 2]

The aim: 1.5 times as fast, same bytes. CPU time is that of all processes that the run leaves or
waited for, the server and its forks among them.
"""

import argparse
import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from project import children_seconds, make_project

PR_SET_CHILD_SUBREAPER = 36
MADE = ("models", "results", "state", "data/splits", "logs")


def overlay(seeds: int) -> dict[str, object]:
    return {
        "datasets": {"keypad": {"download": {"clips": 200}, "train": {"epochs": 4}}},
        "methods": {
            "from_scratch": {"joint": {}},
            "from_warmup": {"gmm-adaptive": {}, "joint-concat-control": {"heads": "trained"}},
        },
        "seeds": list(range(seeds)),
        "warmup": {"epochs": 1},
    }


def snakemake(folder: Path, cores: int, server: bool, *more: str) -> tuple[float, float]:
    """Run the graph; return CPU and wall seconds."""
    (folder / "server.yaml").write_text(f"runtime: {{fork_server: {str(server).lower()}}}\n")
    command = ["snakemake", *more, "--cores", str(cores), "--quiet", "all"]
    command += ["--configfile", "overlay.yaml", "server.yaml"]
    begin, before = time.perf_counter(), children_seconds()
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    subprocess.run(command, cwd=folder, env=environment, check=True)
    wall = time.perf_counter() - begin
    while True:  # what outlived it: the server, which is ours now
        try:
            os.wait()
        except ChildProcessError:
            return children_seconds() - before, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    times: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    tables = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_project(folder, overlay(options.seeds))
        snakemake(folder, options.cores, False, "data/features/keypad/features.h5")
        for _ in range(options.rounds):
            for server, found in times.items():
                for made in MADE:
                    shutil.rmtree(folder / made, ignore_errors=True)
                found.append(snakemake(folder, options.cores, server))
                tables.add((folder / "results/comparison.csv").read_bytes())
    cpu, wall = ({s: median(t[k] for t in times[s]) for s in times} for k in (0, 1))
    for server, title in ((False, "each job imports"), (True, "fork server")):
        print(f"{title:18} {cpu[server]:7.1f} s of CPU {wall[server]:7.1f} s")
    print(
        f"{8 * options.seeds} jobs: {cpu[False] / cpu[True]:.2f} times by CPU time, "
        f"{wall[False] / wall[True]:.2f} by wall time; "
        f"{'same bytes' if len(tables) == 1 else 'OTHER BYTES'}"
    )


if __name__ == "__main__":
    main()
