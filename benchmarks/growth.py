"""How CPU time and peak memory of each stage grow with the number of clips: 1, 4 and 16 times.

Runs the stages of the corpus ``keypad`` one after the other, each as a process of its own with
one thread and little training (two epochs), at three sizes. Of each it takes the CPU time with that
of its children, and the largest process. A process costs seconds before its first clip, so that
growth is judged by what further clips cost: a clip from 4 to 16 times over a clip from 1 to 4
times. Up to 1 is linear or better; where 12 times as many clips cost less than a second more, there
is nothing to judge.

    python benchmarks/growth.py [--clips 60] [--into benchmarks/results/2-cores-growth]

Writes ``.txt`` and ``.svg`` (both axes logarithmic).
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
TIMES = (1, 4, 16)
METHOD = "gmm-adaptive"
SEED = ("--seed", "0")
STAGES: dict[str, tuple[str, ...]] = {
    "download": (),
    "extract": (),
    "split": (),
    "audit": (),
    "embed": (),
    "warmup": SEED,
    "gap": SEED,
    "search": ("--method", METHOD),
    "train": ("--method", METHOD, *SEED),
    "evaluate": ("--method", METHOD, *SEED),
    "compare": (),
}
TITLES = ("CPU time (s)", "peak memory (MiB)")
Cost = tuple[float, float]
"""Seconds of CPU, MiB of the largest process."""


def overlay(clips: int) -> dict[str, object]:
    tables = {
        "download": {"clips": clips, "groups": 30, "spoiled_fraction": 0.12, "seed": 0},
        "modalities": {
            "video": {"kind": "frames", "column": "video", "pick": {"even": 4}, "size": 32},
            "audio": {"kind": "sound", "column": "audio", "rate": 8000, "seconds": 0.8},
        },
        "encoders": {"video": "conv_frames", "audio": "conv_spectrogram"},
    }
    return {
        "datasets": {"keypad": tables},
        "methods": {"from_scratch": {}, "from_warmup": {METHOD: {}}},
        "compare": {"baseline": METHOD},
        "seeds": [0],
        "warmup": {"epochs": 1},
        "train": {"epochs": 2},
    }


def cost(stage: str, more: tuple[str, ...], folder: Path) -> Cost:
    """Run a stage in a folder; return what it took."""
    dataset = () if stage == "compare" else ("--dataset", "keypad")
    files = ("--params", str(ROOT / "params.yaml"), "--overlay", "overlay.json")
    command = [sys.executable, "-m", "equipoise.cli", stage, *dataset, *more, *files]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, "--threads", "1"],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": ""},
            stderr=log,
        )
        _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit((folder / "log.txt").read_text()[-2000:])
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(clips: int) -> dict[str, Cost]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "overlay.json").write_text(json.dumps(overlay(clips)))
        return {stage: cost(stage, more, folder) for stage, more in STAGES.items()}


def verdict(seconds: list[float]) -> str:
    """Say whether further clips cost more, the more there are."""
    early, late = seconds[1] - seconds[0], seconds[2] - seconds[1]
    if late < 1:
        return "below a second"
    ratio = late / (TIMES[2] - TIMES[1]) / (max(early, 1e-9) / (TIMES[1] - TIMES[0]))
    return f"{ratio:.2f} a further clip"


def table(clips: int, costs: list[dict[str, Cost]]) -> str:
    head = "".join(f"{clips * times:>9}" for times in TIMES)
    lines = [f"{'clips':10}{head}   (s of CPU)    {head}   (MiB)"]
    for stage in STAGES:
        seconds = [one[stage][0] for one in costs]
        memory = [one[stage][1] for one in costs]
        left = "".join(f"{value:9.1f}" for value in seconds)
        right = "".join(f"{value:9.0f}" for value in memory)
        lines.append(f"{stage:10}{left}{'':17}{right}   {verdict(seconds)}")
    return "\n".join(lines)


def plot(path: Path, clips: int, costs: list[dict[str, Cost]]) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
    sizes = [clips * times for times in TIMES]
    for index, (axis, title) in enumerate(zip(axes, TITLES, strict=True)):
        for stage in STAGES:
            axis.loglog(sizes, [one[stage][index] for one in costs], "o-", label=stage)
        axis.set(xlabel="clips", ylabel=title, xticks=sizes, xticklabels=map(str, sizes))
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def machine() -> str:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    today = datetime.date.today().isoformat()
    return (
        f"commit {commit}, {today}, load {load:.2f}\n{name}\n{cores} cores, one thread, "
        f"Python {platform.python_version()}, no GPU used"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--into", type=Path, default=ROOT / "benchmarks/results/2-cores-growth")
    options = parser.parse_args()
    head = f"{machine()}\n\n$ python benchmarks/growth.py --clips {options.clips}\n"
    costs = []
    for times in TIMES:
        costs.append(measure(options.clips * times))
        print(times, costs[-1], flush=True)
    text = head + table(options.clips, costs) + "\n"
    options.into.with_suffix(".txt").write_text(text)
    plot(options.into.with_suffix(".svg"), options.clips, costs)
    print(text, end="")


if __name__ == "__main__":
    main()
