"""CPU time of ``equipoise check`` on many small files: rows a second of one core.

Rows of one small file each: a sound (1 s, 16 kHz, WAV), a picture (64x48, JPEG), or a clip of both
(64x48, 1 s, MP4 with H.264 and AAC), read as check proposes. Files differ in a few bytes behind
what is decoded. The verb runs as a program on two folders, of FEW and of FEW + N rows: the
difference is the cost of N rows, without what a run costs once. CPU time of all its processes
counts, so that other work on the machine matters little; ``--quick`` decodes nothing.

    python benchmarks/checking.py [--rows 400]

Aim: 10 times the 11 rows a second of commit e5f6ce9 (which was wall time, on two cores).
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg
from project import children_seconds

FEW = 24
AIM = 110
SOUND = ["-f", "lavfi", "-i", "sine=f={tone}:r=16000:d=1"]
PICTURE = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1,hue=h={tone}"]
CODECS = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "32k"]
#: Suffix to what ffmpeg is told, and the columns that name such a file.
KINDS = {
    "wav": (SOUND, ["audio"]),
    "jpg": ([*PICTURE, "-frames:v", "1"], ["image"]),
    "mp4": ([*PICTURE, *SOUND, *CODECS], ["video", "audio"]),
}


def content(place: Path, kind: str, tone: int) -> bytes:
    path = place / f"{tone}.{kind}"
    words = [word.format(tone=tone) for word in KINDS[kind][0]]
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    subprocess.run([*program, *words, str(path)], check=True)
    return path.read_bytes()


def folder(path: Path, kind: str, contents: list[bytes], rows: int) -> Path:
    """Write rows whose files differ: a box (MP4), or chunk (WAV), with the number ends each."""
    path.mkdir()
    columns = KINDS[kind][1]
    lines = ["sample_id,label,split,group," + ",".join(columns)]
    box = {"mp4": (16).to_bytes(4, "big") + b"free", "wav": b"note" + (8).to_bytes(4, "little")}
    for number in range(rows):
        name = f"{number:05d}.{kind}"
        remark = box.get(kind, b"") + f"{number:08d}".encode()
        (path / name).write_bytes(contents[number % len(contents)] + remark)
        lines.append(f"s{number},c{number % 2},,," + ",".join(name for _ in columns))
    (path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return path


def cpu(data: Path, options: list[str]) -> float:
    """Return the CPU seconds of one ``equipoise check``, with those of its workers."""
    before = children_seconds()
    command = [sys.executable, "-m", "equipoise.cli", "check", str(data), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "no problem found" not in done.stdout + done.stderr:
        raise SystemExit(done.stdout + done.stderr)
    return children_seconds() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400)
    rows = parser.parse_args().rows
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            contents = [content(place, kind, tone) for tone in range(300, 900, 50)]
            few = folder(place / "few", kind, contents, FEW)
            many = folder(place / "many", kind, contents, FEW + rows)
            speeds = [rows / (cpu(many, how) - cpu(few, how)) for how in ([], ["--quick"])]
        print(
            f"{kind}   every sample {speeds[0]:6.0f} rows/s of one core, "
            f"--quick {speeds[1]:6.0f}   (aim: {AIM})",
            flush=True,
        )
    print(f"{rows} rows of one file each")


if __name__ == "__main__":
    main()
