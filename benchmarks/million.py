"""A million rows in 200 parts: time and peak memory of the dry run, and of one part.

Makes a project (a copy of this one) with a data set of one's own: a manifest of N rows, each with a
picture of its own name (hard links to few files, so that it costs no room). Runs there

- ``snakemake --dry-run`` before anything was done: it reads the manifest, looks at every file, and
  notes their checksums, which costs once; and again,
- the same with manifest and list of checksums in place, as stage download leaves them: all parts
  are ready to run,
- ``equipoise extract --part 0``, one part of them all.

    python benchmarks/million.py [--rows 1000000] [--parts 200] [--folder FOLDER]

Aim: each dry run under 60 s and 4 GiB. Peak memory is that of the largest process.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from project import make_project

#: Fewer than a file system allows.
LINKS = 50_000
METHODS = {"from_scratch": {"joint": {}}, "from_warmup": {}}
#: extract.shard_rows of params.yaml.
SHARD_ROWS = 256
MEASURED = """
import json, os, resource, subprocess, sys, time
begin = time.perf_counter()
status = subprocess.run(sys.argv[2:], stdout=open(sys.argv[1], "w"), stderr=subprocess.STDOUT)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
told = {"wall": time.perf_counter() - begin, "cpu": used.ru_utime + used.ru_stime}
print(json.dumps(told | {"peak": used.ru_maxrss / 2**20, "status": status.returncode}))
"""


def make_media(folder: Path, rows: int) -> None:
    """Write the user's folder: a manifest, and a picture of 8x8 for each row."""
    from PIL import Image

    rng = np.random.default_rng(0)
    with (folder / "manifest.csv").open("w") as manifest:
        manifest.write("sample_id,label,split,group,picture\n")
        for row in range(rows):
            name = f"{row // 1000:05d}/picture_{row:07d}.png"
            path = folder / name
            if row % 1000 == 0:
                path.parent.mkdir()
            if row % LINKS == 0:
                original = path
                Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(original)
            else:
                os.link(original, path)
            manifest.write(f"sample_{row:07d},class_{row % 100},,speaker_{row % 5000},{name}\n")


def overlay(media: Path, parts: int) -> dict[str, Any]:
    tables = {
        "download": {"folder": str(media)},
        "modalities": {"picture": {"kind": "image", "column": "picture", "size": 8}},
        "encoders": {"picture": "conv_frames"},
        "extract": {"parts": parts},
    }
    return {"datasets": {"million": tables}, "methods": METHODS}


def downloaded(media: Path, project: Path, parts: int) -> None:
    """Leave what stage download would, but links for the first part only."""
    raw = project / "data/raw/million"
    raw.mkdir(parents=True)
    sums: dict[int, str] = {}  # of each inode
    with (
        (media / "manifest.csv").open() as given,
        (raw / "manifest.csv").open("w") as manifest,
        (raw / "media.sha256").open("w") as checksums,
    ):
        manifest.write(next(given))
        for row, line in enumerate(given):
            *cells, name = line.rstrip().split(",")
            if row % LINKS == 0:
                sums[row // LINKS] = hashlib.sha256((media / name).read_bytes()).hexdigest()
            manifest.write(",".join([*cells, f"media/{name}\n"]))
            checksums.write(f"{sums[row // LINKS]}  media/{name}\n")
            if row // SHARD_ROWS % parts == 0:
                link = raw / "media" / name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(media / name)


def measure(folder: Path, title: str, *command: str) -> None:
    """Run a command there and print what it took."""
    log = folder / "log.txt"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(log), *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "MLFLOW_TRACKING_URI": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    print(
        f"{title:40} {told['wall']:7.1f} s  {told['cpu']:7.1f} s of CPU  {told['peak']:5.2f} GiB",
        flush=True,
    )
    if told["status"]:
        sys.exit(log.read_text()[-2000:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        media, project = Path(temporary, "media"), Path(temporary, "project")
        media.mkdir()
        project.mkdir()
        begin = time.perf_counter()
        make_media(media, options.rows)
        make_project(project, overlay(media, options.parts))
        print(f"{options.rows} rows in {options.parts} parts, made in", end=" ")
        print(f"{time.perf_counter() - begin:.0f} s", flush=True)
        dry = ("snakemake", "--dry-run", "--quiet", "rules", "--configfile", "overlay.yaml")
        stage = ("--dataset", "million", "--overlay", "overlay.yaml")
        measure(project, "dry run, nothing done", *dry)
        measure(project, "dry run again", *dry)
        downloaded(media, project, options.parts)
        measure(project, "dry run after the download", *dry)
        measure(project, "one part", "equipoise", "extract", "--part", "0", *stage)


if __name__ == "__main__":
    main()
