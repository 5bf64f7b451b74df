"""What starting costs: the command line, the graph, a training job up to its first step.

Makes a project (a copy of this one) with the corpus ``keypad`` and runs there

- ``equipoise --help``,
- ``snakemake --dry-run`` with nothing done, the graph of params.yaml (for one method, too: what the
  number of jobs costs),
- a training job, from the start of its process to its first step, and to its end,
- stage evaluate: not tracked, sent to MLflow at once, and left for one import of all runs.

    python benchmarks/start.py [--rounds 5] [--clips 1500] [--folder FOLDER]

Of each the round with the least CPU time counts, as others share the machine. The aims: 0.3 s for
the help, 2.5 s for a graph in which nothing is to do.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from project import make_project

OVERLAY = {"methods": {"from_scratch": {"joint": {}}, "from_warmup": {}}}
BEFORE = ("download", "extract", "split", "embed", "search")
CELL = ("--dataset", "keypad", "--overlay", "overlay.yaml", "--threads", "1")
OF = (*CELL, "--method", "joint", "--seed", "0")
JOB = ("train", *OF)
TRACKED = ("env", "-u", "MLFLOW_TRACKING_URI")
LATER = (*TRACKED, "EQUIPOISE_TRACKING=later")
MEASURED = """
import json, resource, subprocess, sys, time
begin = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall, used = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, wall]))
"""
#: Stops the process where its first step begins.
FIRST_STEP = """
import os, sys
from equipoise import cli
from equipoise.training import loop
loop.Trainer._step = lambda *_: os._exit(0)
sys.exit(cli.main(sys.argv[1:]) or 1)
"""


def set_clips(folder: Path, clips: int) -> None:
    params = folder / "params.yaml"
    text, found = re.subn(r"clips: \d+", f"clips: {clips}", params.read_text())
    assert found == 1
    params.write_text(text)


def run(folder: Path, *command: str) -> str:
    here = {"PYTHONPATH": str(folder / "src"), "MLFLOW_TRACKING_URI": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | here, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)[:200]}: {done.stderr[-2000:]}")
    return done.stdout


def measure(folder: Path, title: str, rounds: int, *command: str, afresh: bool = True) -> float:
    """Print the round with the least CPU time, and return that time."""

    def once() -> tuple[float, float]:
        for made in ("models", "state") if afresh else ():
            shutil.rmtree(folder / made, ignore_errors=True)
        cpu, wall = json.loads(run(folder, sys.executable, "-c", MEASURED, *command))
        return cpu, wall

    cpu, wall = min(once() for _ in range(rounds))
    print(f"{title:44} {cpu:6.2f} s of CPU  {wall:6.2f} s", flush=True)
    return cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clips", type=int, default=1500, help="1500: the job is that of the demo")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder")
    options = parser.parse_args()
    rounds = options.rounds
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        make_project(folder, OVERLAY)
        set_clips(folder, options.clips)
        dry = ("snakemake", "--dry-run", "--quiet", "all")
        one = ("--configfile", "overlay.yaml")
        measure(folder, "equipoise --help", rounds, "equipoise", "--help")
        measure(folder, "python -c 'import torch'", rounds, sys.executable, "-c", "import torch")
        measure(folder, "snakemake, nothing done, all methods", rounds, *dry)
        measure(folder, "snakemake, nothing done, one method", rounds, *dry, *one)
        for stage in BEFORE:
            told = ("--method", "joint") if stage == "search" else ()
            run(folder, "equipoise", stage, *CELL, *told)
        first = (sys.executable, "-c", FIRST_STEP, *JOB)
        start = measure(folder, "train: to the first step", rounds, *first)
        whole = measure(folder, "train: to the end", rounds, "equipoise", *JOB)
        print(f"{start / whole:.0%} of this job is its start")
        run(folder, *TRACKED, "equipoise", "track", "init")
        for how, before in (("not tracked", ()), ("sent", TRACKED), ("left to import", LATER)):
            evaluate = (*before, "equipoise", "evaluate", *OF)
            measure(folder, f"evaluate, {how}", rounds, *evaluate, afresh=False)


if __name__ == "__main__":
    main()
