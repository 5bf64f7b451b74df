#!/usr/bin/env bash
# An animated PNG has one frame more in Pillow than in OpenCV and FFmpeg.
#
# GUESS:     frame 0 of an animation is the first one that a player shows, in each reader.
# VERSION:   Pillow 13.0.0, OpenCV 5.0.0.93 (headless, contrib), PyAV 18.1.0, NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   the format lets a file carry a still picture for viewers that know no animation; it is not part
#            of the animation. Pillow counts it in n_frames and gives it as frame 0 (info["default_image"]
#            tells), so the same index means another frame than in OpenCV's imreadanimation and PyAV.
# Output (red value of each frame; 200 is the still picture):
#   Pillow  [200, 10, 20, 30]
#   OpenCV  [10, 20, 30]
#   PyAV    [10, 20, 30]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'pillow==13.0.0' 'opencv-contrib-python-headless==5.0.0.93' \
    'av==18.1.0' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import av
import cv2
from PIL import Image, ImageSequence

still, *film = [Image.new("RGB", (8, 8), (red, 0, 0)) for red in (200, 10, 20, 30)]
still.save("film.png", save_all=True, append_images=film, default_image=True, duration=100)

with Image.open("film.png") as picture:
    assert picture.info["default_image"] is True
    pillow = [frame.convert("RGB").getpixel((0, 0))[0] for frame in ImageSequence.Iterator(picture)]
opencv = [int(frame[0, 0, 2]) for frame in cv2.imreadanimation("film.png")[1].frames]
with av.open("film.png") as container:
    pyav = [int(frame.to_ndarray(format="rgb24")[0, 0, 0]) for frame in container.decode(video=0)]
print(f"Pillow  {pillow}\nOpenCV  {opencv}\nPyAV    {pyav}")
assert pillow == [200, 10, 20, 30]
assert opencv == pyav == [10, 20, 30]
PY
