#!/usr/bin/env bash
# The same "turn me" tag is obeyed for some picture formats and not for others, and two libraries disagree.
#
# GUESS:     a library either applies the Exif tag Orientation or leaves it to the caller.
# VERSION:   Pillow 13.0.0, OpenCV 5.0.0.93 (headless, contrib), NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   a picture of 16 rows and 32 columns is saved with Orientation 6 (turn by a quarter). Pillow
#            leaves JPEG, PNG, WebP and AVIF lying and keeps the tag; a TIFF it turns by itself, and the
#            tag is gone afterwards. OpenCV's imread turns JPEG, PNG and WebP but leaves AVIF lying. So a
#            folder that was converted from TIFF to PNG, or read by the other library, has other shapes.
#            Beside this, saving AVIF removes the tag from the Exif object that the caller passed: the next
#            picture saved with the same object has none.
# Output (rows, columns):
#   jpg   Pillow (16, 32)  tag 6     OpenCV (32, 16)
#   png   Pillow (16, 32)  tag 6     OpenCV (32, 16)
#   webp  Pillow (16, 32)  tag 6     OpenCV (32, 16)
#   avif  Pillow (16, 32)  tag 6     OpenCV (16, 32)
#   tiff  Pillow (32, 16)  tag None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'pillow==13.0.0' 'opencv-contrib-python-headless==5.0.0.93' \
    'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import cv2
import numpy as np
from PIL import Image

ORIENTATION = 0x0112
seen = {}
for kind in ("jpg", "png", "webp", "avif", "tiff"):
    tag = Image.Exif()  # a new one each time: saving AVIF takes the tag out of it
    tag[ORIENTATION] = 6
    Image.new("RGB", (32, 16), (200, 100, 50)).save(f"turned.{kind}", exif=tag)
    assert (ORIENTATION in tag) == (kind != "avif")
    picture = Image.open(f"turned.{kind}")
    picture.load()
    seen[kind] = [np.asarray(picture).shape[:2], picture.getexif().get(ORIENTATION)]
    line = f"{kind:5} Pillow {seen[kind][0]}  tag {seen[kind][1]}"
    if kind != "tiff":
        seen[kind].append(cv2.imread(f"turned.{kind}").shape[:2])
        line = f"{line:32} OpenCV {seen[kind][2]}"
    print(line)
lying, standing = (16, 32), (32, 16)
assert seen == {
    "jpg": [lying, 6, standing],
    "png": [lying, 6, standing],
    "webp": [lying, 6, standing],
    "avif": [lying, 6, lying],
    "tiff": [standing, None],
}
PY
