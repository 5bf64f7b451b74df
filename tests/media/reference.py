"""What the ffmpeg program presents of a file, through ffmpeg-python: every frame, every sample."""

from fractions import Fraction

import ffmpeg
import imageio_ffmpeg
import numpy as np

SCALE = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"


def run(stream):
    done, _ = stream.global_args("-v", "error").run(
        cmd=imageio_ffmpeg.get_ffmpeg_exe(), capture_stdout=True
    )
    return done


def source(path):
    return ffmpeg.input(f"file:{path}", threads=1)


def frames(path, height, width, chroma="auto"):
    """Return uint8 (all frames, height, width, 3).

    Args:
        chroma: Where the program is to think that the samples of colour lie; it does not look.
    """
    scale = f"scale={width}:{height}:{SCALE}:in_chroma_loc={chroma}"
    options = {"format": "rawvideo", "pix_fmt": "rgb24", "vf": scale, "fps_mode": "passthrough"}
    raw = run(ffmpeg.output(source(path)["V:0"], "pipe:", **options))
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def shown(path, stream):
    """Return when each decoded frame of a stream begins and ends, by the clock of the file."""
    options = {
        "format": "framecrc",
        "copyts": None,
        "enc_time_base": "demux",
        "fps_mode": "passthrough",
    }
    options |= {"c:v": "rawvideo"} if stream == "V:0" else {"c:a": "pcm_s16le"}
    lines = run(ffmpeg.output(source(path)[stream], "pipe:", **options)).decode().splitlines()
    unit = next(Fraction(line.split()[-1]) for line in lines if line.startswith("#tb"))
    rows = [[int(cell) for cell in line.split(",")[2:4]] for line in lines if line[0] != "#"]
    return [(float(time * unit), float((time + length) * unit)) for time, length in rows]


def sound(path, rate, channels):
    """Return float32 (samples,): the mean of the channels, on the clock of the file."""
    mean = "pan=mono|c0=" + "+".join(f"{1 / channels}*c{n}" for n in range(channels))
    options = {"format": "f32le", "af": f"{mean},aresample={rate}:async=1:first_pts=0"}
    return np.frombuffer(run(ffmpeg.output(source(path)["a:0"], "pipe:", **options)), "<f4")
