"""CPU time of training methods as a multiple of joint's, for costs.toml; run it in an empty folder.

Makes 450 clips of keypad and trains, as configs/referee.yaml has it, the methods that are named, or
those whose cost no study has measured: once, one job after the other, each a process of its own.
Joint is trained again before every four of them, so that a machine that gets slower slows both. A
teacher counts, as in ``equipoise show --differences``.
"""

import argparse
import shutil
import sys
from pathlib import Path
from statistics import fmean

from project import run_job

from equipoise import cli, layout, params, timing
from equipoise.evaluation.cost import relative_costs

ROOT = Path(__file__).resolve().parents[1]
DATASET, SEED = "keypad", "0"
OVERLAYS = [ROOT / "configs/referee.yaml", Path("part.yaml")]
PART = f"datasets: {{{DATASET}: {{download: {{clips: 450}}}}}}\nsearch: {{trials: 1}}\n"
STUDIED = ROOT / "configs/study.yaml"


def job(stage: str, *cell: str) -> list[str]:
    """Return the arguments of one job."""
    told = [
        w for pair in zip(layout.CELL[stage], cell, strict=True) for w in (f"--{pair[0]}", pair[1])
    ]
    return [stage, *told, *(w for path in OVERLAYS for w in ("--overlay", str(path)))]


def seconds(method: str) -> float:
    """Train once; return the CPU time of the job."""
    if not run_job(*job("train", DATASET, method, SEED)):
        sys.exit(f"error: training {method} failed")
    used = timing.cpu_seconds(layout.timing("train", DATASET, method, SEED))
    print(f"{method:24} {used:6.1f} s", flush=True)
    return used


def prepare(methods: list[str]) -> None:
    """Run what comes before the trainings."""
    for stage in ("download", "extract", "embed", "split"):
        if cli.main(job(stage, DATASET)):
            sys.exit(1)
    for method in methods:
        if cli.main(job("search", DATASET, method)):
            sys.exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", help="keys in configs/referee.yaml")
    options = parser.parse_args()
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    Path("part.yaml").write_text(PART)
    study = params.load(overlays=OVERLAYS)
    known = set(params.load(overlays=[STUDIED], feasible=False).method_names)
    missing = [key for key in study.method_names if key not in known]
    keys = [
        key for key in options.methods or missing if key not in ("joint", study.methods.teacher)
    ]
    trained = [study.methods.teacher, *keys]
    prepare(["joint", *trained])
    joint = []
    for place, key in enumerate(trained):
        if place % 4 == 0:
            joint.append(seconds("joint"))
        seconds(key)
    timing.write(layout.timing("train", DATASET, "joint", SEED), fmean(joint))
    print(f"{'joint, mean':24} {fmean(joint):6.1f} s\n")
    found = relative_costs(DATASET, trained, "joint")
    for key in ["joint", *trained]:
        print(f"{key} = {found[key]:.1f}")


if __name__ == "__main__":
    main()
