"""CPU time of stage extract for each clip, against bare ffmpeg and against an older version.

Clips of 480x360 at 25 frames a second, FLV (Sorenson + MP3) and MP4 (H.264 + AAC), of 2.5 and 10
s; wanted are one or three frames of 224x224 and 3 s of sound at 22,050 Hz as a spectrogram. Bare
is ``ffmpeg -threads 1 -i CLIP -f null -`` of the imageio-ffmpeg wheel, one process for each clip.
The stage runs with one worker on two data sets, of 4 and of 4 + N clips (on the first one twice:
the first time it imports): the difference is the cost of N clips, without what a run costs once.
All sides take turns; the median of the rounds counts.

    python benchmarks/extraction.py [--clips 24] [--rounds 3] [--old PATH]

PATH is a worktree of commit e5f6ce9 (``git worktree add PATH e5f6ce9``); it is measured twice, with
the ffmpeg of the wheel and with that of PATH, which it prefers. Aims: at most 1.0 of bare (better:
0.8), and 3.5 times less than e5f6ce9.
"""

import argparse
import csv
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import imageio_ffmpeg

WHEEL = imageio_ffmpeg.get_ffmpeg_exe()
KINDS = 4
FEW = 4
FLASH = ["-c:v", "flv1", "-b:v", "600k", "-c:a", "libmp3lame", "-b:a", "64k"]
H264 = ["-c:v", "libx264", "-b:v", "600k", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k"]
FORMATS = {"flv": FLASH, "mp4": H264}
SOUND = {"rate": 22050, "seconds": 3.0, "n_fft": 512, "hop": 353}


def cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def encode(path: Path, seconds: float, number: int) -> None:
    picture = f"testsrc2=s=480x360:r=25:d={seconds},noise=alls=6:allf=t:all_seed={number}"
    sound = (
        f"aevalsrc=0.3*sin(2*PI*({300 + 50 * number}+40*t)*t)+0.02*random(0):s=44100:d={seconds}"
    )
    command = [WHEEL, "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    subprocess.run([*command, *FORMATS[path.suffix[1:]], str(path)], check=True)


def make_dataset(folder: Path, clips: list[Path], count: int) -> None:
    """Write ``count`` clips (copies under other names) with manifest and checksums."""
    media = folder / "media"
    media.mkdir(parents=True)
    rows, sums = [], []
    for number in range(count):
        clip = clips[number % len(clips)]
        name = f"media/{number:05d}{clip.suffix}"
        shutil.copy(clip, folder / name)
        row = {"sample_id": f"s{number}", "label": f"c{number % 2}", "split": "", "group": ""}
        rows.append(row | {"video": name, "audio": name})
        sums.append(f"{hashlib.sha256(clip.read_bytes()).hexdigest()}  {name}\n")
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "media.sha256").write_text("".join(sums))


def settings(old: bool, frames: int) -> object:
    """Return the same settings as the version that is imported names them."""
    from equipoise import params

    if old:
        video = params.VideoSettings(frames=frames, size=224)
        return params.Extract(video=video, audio=params.AudioSettings(**SOUND))
    picture = {"kind": "frames", "column": "video", "pick": {"even": frames}, "size": 224}
    sound = {"kind": "sound", "column": "audio", **SOUND}
    return params.ExtractJob(
        extract=params.Extract(), modalities={"video": picture, "audio": sound}
    )


def stage(old: bool, frames: int) -> None:
    """Run the stage on both data sets of this folder; print what the second cost more."""
    from equipoise.stages import extract
    from equipoise.stages.job import Job

    costs = []
    for name in ("few", "few", "many"):
        shutil.rmtree(f"data/features/{name}", ignore_errors=True)
        begin = time.perf_counter(), cpu(resource.RUSAGE_SELF), cpu(resource.RUSAGE_CHILDREN)
        extract.run(Job("extract", name, threads=1), settings(old, frames))
        used = cpu(resource.RUSAGE_SELF) + cpu(resource.RUSAGE_CHILDREN) - begin[1] - begin[2]
        costs.append((used, time.perf_counter() - begin[0]))
    print(costs[2][0] - costs[1][0], costs[2][1] - costs[1][1])


def run_stage(tree: Path, frames: int, old: bool, path: str) -> tuple[float, float]:
    """Return CPU and wall seconds of the stage in a source tree."""
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "PATH": path}
    environment |= {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--stage", "old" if old else "new", str(frames)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    used, wall = done.stdout.split()[-2:]
    return float(used), float(wall)


def run_bare(clips: list[Path]) -> tuple[float, float]:
    begin = cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    for clip in clips:
        command = [WHEEL, "-nostdin", "-v", "error", "-threads", "1", "-i", str(clip)]
        subprocess.run([*command, "-f", "null", "-"], check=True)
    return cpu(resource.RUSAGE_CHILDREN) - begin[0], time.perf_counter() - begin[1]


Sides = dict[str, Callable[[], tuple[float, float]]]


def sides(options: argparse.Namespace, clips: list[Path], wheel: Path, frames: int) -> Sides:
    here, path = Path(__file__).resolve().parents[1], os.environ["PATH"]
    found: Sides = {
        "bare": lambda: run_bare(clips),
        "equipoise": lambda: run_stage(here, frames, False, path),
    }
    if options.old:
        old = options.old.resolve()
        found["e5f6ce9, wheel"] = lambda: run_stage(old, frames, True, f"{wheel}:{path}")
        if shutil.which("ffmpeg"):
            found["e5f6ce9, PATH"] = lambda: run_stage(old, frames, True, path)
    return found


def measure(options: argparse.Namespace, kind: str, seconds: float, frames: int) -> None:
    """Print one row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        kinds = [Path(folder, f"{number}.{kind}") for number in range(KINDS)]
        for number, clip in enumerate(kinds):
            encode(clip, seconds, number)
        for name, count in (("few", FEW), ("many", FEW + options.clips)):
            make_dataset(Path("data/raw", name), kinds, count)
        wheel = Path(folder, "bin")
        wheel.mkdir()
        (wheel / "ffmpeg").symlink_to(WHEEL)
        clips = [kinds[number % KINDS] for number in range(options.clips)]
        costs: dict[str, list[tuple[float, float]]] = {}
        for _ in range(options.rounds):
            for name, side in sides(options, clips, wheel, frames).items():
                shutil.rmtree("data/features", ignore_errors=True)
                costs.setdefault(name, []).append(side())
        os.chdir("/")
    used = {name: 1000 * median(c for c, _ in both) / options.clips for name, both in costs.items()}
    wall = {name: 1000 * median(w for _, w in both) / options.clips for name, both in costs.items()}
    ours = used["equipoise"]
    print(f"{kind} {seconds:>4} s {frames} frames: CPU (wall) ms a clip", end="  ")
    print("  ".join(f"{name} {used[name]:.1f} ({wall[name]:.1f})" for name in used), end="  ")
    times = [f"{used[name] / ours:.1f} x {name}" for name in used if name.startswith("e5f6ce9")]
    print(f"ratio to bare {ours / used['bare']:.2f}", *times, sep="  ", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--old", type=Path)
    parser.add_argument("--stage", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        stage(options.stage[0] == "old", int(options.stage[1]))
        return
    for kind in FORMATS:
        for seconds in (2.5, 10):
            for frames in (1, 3):
                measure(options, kind, seconds, frames)


if __name__ == "__main__":
    main()
