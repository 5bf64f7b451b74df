"""What benchmarks share: a copy of this project to measure in, jobs, and their CPU time."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("Snakefile", "params.yaml", "src", "workflow", "envs", "profiles")


def make_project(folder: Path, overlay: Mapping[str, Any]) -> None:
    """Copy what the graph runs on into a folder, and write the overlay beside it."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name, follow_symlinks=False)
    (folder / "overlay.yaml").write_text(json.dumps(overlay))  # JSON is YAML


def run_job(*arguments: str) -> bool:
    """Run ``equipoise`` as an untracked job of one thread; return whether it ended well."""
    done = subprocess.run(
        ["equipoise", *arguments, "--threads", "1"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": ""},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return not done.returncode


def children_seconds() -> float:
    """Return the CPU seconds of all processes that this one waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
