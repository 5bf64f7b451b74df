"""A small project with a history, and how to damage it."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

OUTS = """
stages:
  make:
    cmd: "true"
    outs:
      - data/raw/toy/media
      - data/raw/toy/media.sha256
      - models/train/toy/joint/seed0/model.safetensors
      - models/train/toy/joint/seed0/model.json
      - models/train/toy/joint/seed0/history.csv
      - models/train/toy/joint/seed1/history.csv
      - results/comparison.csv: {cache: false}
"""
MODEL = Path("models/train/toy/joint/seed0")
CLIP = Path("data/raw/toy/media/a b.mp4")


def write(path, text):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def md5(path):
    return hashlib.md5(Path(path).read_bytes()).hexdigest()


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def flip(path):
    """Change one bit, and leave size, times and mode as they were."""
    path = Path(path)
    status = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def make():
    """Write the files, have DVC record them and git commit them, in the current folder."""
    from dvc.repo import Repo

    for name in ("a b.mp4", "sub/b.mp4"):
        write(CLIP.parent / name, f"clip {name}")
    media = [CLIP, CLIP.parent / "sub/b.mp4"]
    top = CLIP.parents[1]
    sums = (f"{sha256(path)}  {path.relative_to(top)}\n" for path in media)
    write(top / "media.sha256", "".join(sums))
    write(MODEL / "model.safetensors", "weights")
    card = {"weights_sha256": sha256(MODEL / "model.safetensors")}
    write(MODEL / "model.json", json.dumps(card))
    for seed in (0, 1):
        write(f"models/train/toy/joint/seed{seed}/history.csv", "the same in both\n")
    write("results/comparison.csv", "method,accuracy\n")
    write("dvc.yaml", OUTS)
    write(".gitignore", "/data/\n/models/\n")
    subprocess.run(["git", "init", "--quiet"], check=True)
    with Repo.init() as repo:
        repo.commit(force=True)
    subprocess.run(["git", "add", "--all"], check=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, "commit", "--quiet", "--message", "made"], check=True)
