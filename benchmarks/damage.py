"""How much injected damage is refused: cut files, zeroed blocks, overwritten blocks.

Twelve kinds of files of 3 s are written by ffmpeg, and each is damaged 45 times (the same way at
every run): cut at a random place, 512 to 4,096 bytes zeroed, or overwritten by noise. What passes
are zeros and noise in PCM, an MPEG transport stream that is cut, and rarely what lies beside the
media (an index, a remark).

    python benchmarks/damage.py
"""

import random
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import imageio_ffmpeg

from equipoise.media.decode import decode
from equipoise.media.errors import MediaError
from equipoise.media.wants import Pick, Pictures, Sound, Want

SOURCES = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=3", "-f", "lavfi", "-i"]
SOURCES += ["aevalsrc=0.3*sin(2*PI*(300+200*t)*t)+0.05*random(0):s=16000:d=3"]
H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"]
BOTH: dict[str, list[str]] = {
    "plain.mp4": [*H264, "-c:a", "aac"],
    "fast.mp4": [*H264, "-c:a", "aac", "-movflags", "+faststart"],
    "x.mkv": [*H264, "-c:a", "libopus", "-ar", "48000"],
    "x.flv": ["-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "22050"],
    "x.ts": [*H264, "-c:a", "aac"],
    "x.avi": ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "x.webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libvorbis"],
}
SOUND: dict[str, list[str]] = {
    "x.ogg": ["-c:a", "libvorbis"],
    "x.mp3": ["-c:a", "libmp3lame"],
    "x.flac": [],
    "x.wav": [],
    "x.m4a": ["-c:a", "aac"],
}
FAULTS = ("cut", "zeroed", "noise")
TIMES = 15


def damaged(data: bytes, how: str, dice: random.Random) -> bytes:
    at, length = dice.randrange(len(data) // 20, len(data) - 10), dice.choice([512, 2000, 4096])
    if how == "cut":
        return data[:at]
    length = min(length, len(data) - at)
    block = bytes(length) if how == "zeroed" else dice.randbytes(length)
    return data[:at] + block + data[at + length :]


def refused(path: Path, wants: dict[str, Want]) -> bool:
    try:
        decode(path, wants)
    except MediaError:
        return True
    return False


def main() -> None:
    dice = random.Random(5)
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (BOTH | SOUND).items():
            path, broken = Path(folder, name), Path(folder, "broken" + Path(name).suffix)
            streams = [] if name in BOTH else ["-map", "1"]
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *SOURCES, *streams, *options]
            subprocess.run([*command, str(path)], check=True)
            wants: dict[str, Want] = {"sound": Sound(8000, 2.0)}
            if name in BOTH:
                wants["picture"] = Pictures(Pick("even", 4), 32, 32)
            if refused(path, wants):
                raise SystemExit(f"{name}: refused without any damage")
            data, found = path.read_bytes(), Counter[str]()
            for how in FAULTS * TIMES:
                broken.write_bytes(damaged(data, how, dice))
                found[how] += refused(broken, wants)
            print(f"{name:10}", *(f"{how} {found[how]:2} of {TIMES}" for how in FAULTS), sep="  ")
            total += found
    faults = len(FAULTS) * TIMES * len(BOTH | SOUND)
    print(f"{sum(total.values())} of {faults} refused")


if __name__ == "__main__":
    main()
