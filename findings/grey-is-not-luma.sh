#!/usr/bin/env bash
# Grey frames of a BT.709 video are not its luma; those of a BT.601 video are.
#
# GUESS:     "gray" of a YUV frame is its Y plane (stretched from 16-235 to 0-255): colour plays no part.
# VERSION:   PyAV 18.1.0, imageio-ffmpeg 0.8.1 (its own ffmpeg, 9.0), NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   two lossless files hold the same bytes, Y = 81 everywhere, and differ in the tag of the colour
#            matrix. Asked for gray, the BT.601 file and an untagged one give (81 - 16) * 255 / 219 = 76. The
#            BT.709 file gives 90, which is what BT.601's weights make of its RGB, (255, 23, 0).
#            HD files are tagged BT.709; whoever feeds optical flow or a depth network with grey frames gets
#            another brightness than the Y plane, by an amount that depends on the colour.
# Output:
#   smpte170m  Y 81  PyAV gray 76  ffmpeg gray 76
#   untagged   Y 81  PyAV gray 76  ffmpeg gray 76
#   bt709      Y 81  PyAV gray 90  ffmpeg gray 90
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'imageio-ffmpeg==0.8.1' 'av==18.1.0' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import subprocess

import av
import imageio_ffmpeg

WIDTH, HEIGHT = 64, 48
Y, U, V = 81, 90, 240  # a strong red
RAW = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", "25", "-i", "-"]


def ffmpeg(*arguments: str, given: bytes = b"") -> bytes:
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments]
    return subprocess.run(program, check=True, capture_output=True, input=given).stdout


picture = bytes([Y]) * (WIDTH * HEIGHT) + bytes([U]) * (WIDTH * HEIGHT // 4) + bytes([V]) * (WIDTH * HEIGHT // 4)
seen = {}
for matrix in ("smpte170m", "untagged", "bt709"):
    name = f"{matrix}.mkv"
    tag = ["-vf", f"setparams=range=tv:colorspace={matrix}"] if matrix != "untagged" else []
    ffmpeg(*RAW, *tag, "-c:v", "ffv1", name, given=3 * picture)
    with av.open(name) as container:
        frame = next(container.decode(video=0))
    stored = frame.to_ndarray()[0, 0]
    pyav = frame.to_ndarray(format="gray")[0, 0]
    program = ffmpeg("-i", name, "-f", "rawvideo", "-pix_fmt", "gray", "-")[0]
    seen[matrix] = (int(stored), int(pyav), program)
    print("{:10} Y {}  PyAV gray {}  ffmpeg gray {}".format(matrix, *seen[matrix]))
assert seen == {"smpte170m": (81, 76, 76), "untagged": (81, 76, 76), "bt709": (81, 90, 90)}
PY
