"""Stage extract on a large corpus: core-hours and terabytes, from CPU seconds of one clip.

Made-up clips of 10 s (H.264 at 25 frames a second, AAC), read as the preset of a data set asks, in
this process with one thread, each once; CPU time counts. Bytes are those of the stored samples
(features.h5 is not compressed). VGGSound has 199,176 clips, AudioSet about 2 million.

    python benchmarks/corpus.py [--clips 6] [--preset vggsound/ours]
"""

import argparse
import math
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import imageio_ffmpeg
import numpy as np

from equipoise.modalities.base import readers
from equipoise.modalities.sample import read_sample
from equipoise.params.presets import presets

SIZES = ("340x256", "480x360", "1280x720")
CORPORA = {"VGGSound": 199_176, "AudioSet": 2_000_000}
CODECS = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"]


def encode(path: Path, size: str, number: int) -> Path:
    picture = f"testsrc2=s={size}:r=25:d=10,noise=alls=6:allf=t:all_seed={number}"
    sound = f"aevalsrc=0.3*sin(2*PI*({300 + 50 * number}+40*t)*t)+0.02*random(0):s=44100:d=10"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", picture]
    subprocess.run([*command, "-f", "lavfi", "-i", sound, *CODECS, str(path)], check=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--preset", default="vggsound/ours")
    told = parser.parse_args()
    dataset, name = told.preset.split("/")
    preset = presets()[dataset][name]
    how = readers({modality: preset.settings(modality) for modality in preset.modalities})
    stored = [one.stored() for one in how.values()]
    size = sum(math.prod(one.shape) * np.dtype(one.dtype).itemsize for one in stored)
    shapes = ", ".join(" x ".join(map(str, one.shape)) + f" {one.dtype}" for one in stored)
    print(f"{told.preset}: {shapes}: {size:,} bytes a clip")
    for picture in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            clips = [encode(Path(folder) / f"{n}.mp4", picture, n) for n in range(told.clips + 1)]
            taken = []
            for clip in clips:
                before = time.process_time()
                read_sample(how, dict.fromkeys(how, clip))
                taken.append(time.process_time() - before)
        seconds = median(taken[1:])  # the first one imports
        parts = [f"{picture:>9s}: {seconds:6.3f} s of CPU a clip"]
        parts += [
            f"{name} {count * seconds / 3600:7,.1f} core-hours" for name, count in CORPORA.items()
        ]
        print("; ".join(parts), flush=True)
    print("; ".join(f"{name} {count * size / 1e12:.3f} TB" for name, count in CORPORA.items()))


if __name__ == "__main__":
    main()
