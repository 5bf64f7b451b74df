#!/usr/bin/env bash
# A phone's upright video lies on its side in PyAV; ffmpeg and OpenCV turn it.
#
# GUESS:     PyAV, which is a binding of FFmpeg's libraries, gives the picture that the ffmpeg program gives.
# VERSION:   PyAV 18.1.0, OpenCV 5.0.0.93 (headless, contrib), imageio-ffmpeg 0.8.1 (its own ffmpeg).
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   phones store the sensor's picture and a rotation beside it. The program and OpenCV apply it
#            unasked. PyAV hands out the stored picture and tells the angle in frame.rotation; to_ndarray,
#            to_image and reformat do not look at it.
# Output (height, width):
#   PyAV    (48, 64), frame.rotation 90
#   OpenCV  (64, 48)
#   ffmpeg  (64, 48)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'imageio-ffmpeg==0.8.1' 'opencv-contrib-python-headless==5.0.0.93' \
    'av==18.1.0' 'numpy==2.4.6' 'pillow==13.0.0'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import subprocess

import av
import cv2
import imageio_ffmpeg
from PIL import Image


def ffmpeg(*arguments: str) -> None:
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments], check=True)


ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=1", "-pix_fmt", "yuv420p", "lying.mp4")
ffmpeg("-display_rotation:v:0", "90", "-i", "lying.mp4", "-c", "copy", "upright.mp4")
ffmpeg("-i", "upright.mp4", "-frames:v", "1", "first.png")

with av.open("upright.mp4") as container:
    frame = next(container.decode(video=0))
pyav = frame.to_ndarray(format="rgb24").shape[:2]
assert frame.to_image().size == pyav[::-1]
opencv = cv2.VideoCapture("upright.mp4").read()[1].shape[:2]
program = Image.open("first.png").size[::-1]
print(f"PyAV    {pyav}, frame.rotation {frame.rotation}\nOpenCV  {opencv}\nffmpeg  {program}")
assert (pyav, frame.rotation) == ((48, 64), 90)
assert opencv == program == (64, 48)
PY
