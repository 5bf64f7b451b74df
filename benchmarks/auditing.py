"""What the audit costs on thousands of small clips: a folder, and the stage of the graph.

Clips of 0.6 s (MPEG-4 at 10 frames a second, 96 x 72, AAC), all of one moving picture, which is the
dear case: all hashes are compared with all. Three frames of 64 x 64 and a spectrogram are stored.
CPU seconds of the verb, with its imports and processes of its own.

    python benchmarks/auditing.py [--clips 5000]
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg
from project import children_seconds

SECONDS = 0.6
OWN = {
    "download": {"folder": "own"},
    "modalities": {
        "video": {"kind": "frames", "column": "video", "pick": {"even": 3}, "size": 64},
        "audio": {"kind": "sound", "column": "video", "rate": 16000, "seconds": SECONDS}
        | {"n_fft": 256, "hop": 128},
    },
}
METHODS = {"from_scratch": {"joint": {}}}


def make(folder: Path, clips: int) -> None:
    """Encode one film, cut into clips, and write a manifest of four classes."""
    (folder / "clips").mkdir(parents=True)
    whole = clips * SECONDS
    picture = f"testsrc2=s=96x72:r=10:d={whole},noise=alls=20:allf=t"
    sound = f"aevalsrc=0.3*sin(2*PI*(300+40*mod(t\\,97))*t)+0.05*random(0):s=16000:d={whole}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", picture]
    command += ["-f", "lavfi", "-i", sound, "-c:v", "mpeg4", "-q:v", "4", "-c:a", "aac"]
    command += ["-force_key_frames", f"expr:gte(t,n_forced*{SECONDS})", "-f", "segment"]
    command += ["-segment_time", str(SECONDS), "-reset_timestamps", "1"]
    subprocess.run([*command, str(folder / "clips/%06d.mp4")], check=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("sample_id", "label", "split", "group", "video"))
        for number, path in enumerate(sorted((folder / "clips").iterdir())[:clips]):
            table.writerow((path.stem, "abcd"[number % 4], "", "", f"clips/{path.name}"))


def cpu(*arguments: str) -> float:
    """Run a verb; return its CPU seconds, of its processes too."""
    before = children_seconds()
    command = [sys.executable, "-m", "equipoise.cli", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return children_seconds() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=5000)
    clips = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as project:
        os.chdir(project)
        make(Path("own"), clips)
        tree = {"datasets": {"own": OWN}, "methods": METHODS, "seeds": [0]}
        Path("params.yaml").write_text(json.dumps(tree))  # JSON is YAML
        print(f"audit FOLDER, {clips} clips: {cpu('audit', './own'):6.1f} s of CPU", flush=True)
        for stage in ("download", "extract", "split", "audit"):
            print(f"stage {stage:8s}: {cpu(stage, '--dataset', 'own'):6.1f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
