#!/usr/bin/env bash
# From 16 to 8 bits: Pillow cuts grey at 255 and divides colours by 256; OpenCV divides both.
#
# GUESS:     one library makes 8 bits out of 16 in one way, whatever the number of channels.
# VERSION:   Pillow 13.0.0, OpenCV 5.0.0.93 (headless, contrib), NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   Image.open(...).convert("L") or convert("RGB") of a 16-bit grey PNG (a depth camera's) makes
#            everything above 255 white. A 16-bit RGB PNG with the same numbers is opened as 8 bits, the
#            upper byte alone, and shows no sign that it had more. OpenCV's imread with its default flag
#            takes the upper byte of both.
# Output (stored: 0 100 255 256 1000 30000 65535):
#   Pillow, grey, convert("L"):   [0, 100, 255, 255, 255, 255, 255]
#   Pillow, grey, convert("RGB"): [0, 100, 255, 255, 255, 255, 255]
#   Pillow, RGB as opened:        [0, 0, 0, 1, 3, 117, 255]
#   OpenCV, grey:                 [0, 0, 0, 1, 3, 117, 255]
#   OpenCV, RGB:                  [0, 0, 0, 1, 3, 117, 255]
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

stored = np.array([[0, 100, 255, 256, 1000, 30000, 65535]], np.uint16)
cv2.imwrite("grey.png", stored)
cv2.imwrite("rgb.png", np.stack([stored] * 3, axis=-1))
grey, rgb = Image.open("grey.png"), Image.open("rgb.png")
assert (grey.mode, rgb.mode) == ("I;16", "RGB")
seen = {
    'Pillow, grey, convert("L")': np.asarray(grey.convert("L")),
    'Pillow, grey, convert("RGB")': np.asarray(grey.convert("RGB"))[..., 0],
    "Pillow, RGB as opened": np.asarray(rgb)[..., 0],
    "OpenCV, grey": cv2.imread("grey.png")[..., 0],
    "OpenCV, RGB": cv2.imread("rgb.png")[..., 0],
}
for name, row in seen.items():
    print(f"{name}:".ljust(29), row[0].tolist())
cut, upper = np.minimum(stored, 255), stored >> 8
for row, expected in zip(seen.values(), (cut, cut, upper, upper, upper), strict=True):
    assert (row == expected).all()
PY
