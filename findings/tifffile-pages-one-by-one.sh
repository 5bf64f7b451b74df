#!/usr/bin/env bash
# tifffile.imread gives one page of a TIFF whose five pages were written one by one.
#
# GUESS:     a depth or microscope film that a loop wrote frame by frame comes back with all its frames.
# VERSION:   tifffile 2026.3.3, Pillow 13.0.0, OpenCV 5.0.0.93 (headless, contrib), NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   each call of write (or of imwrite with append=True) begins a new "series", even when shape
#            and type are the same; imread without key or series reads the first series alone, with no
#            warning. Pillow and OpenCV find five pages in the same file. imread(key=slice(None)) has all
#            of them; so has a file that was written as one array, or with metadata=None.
# Output:
#   imread, written by a loop:     (4, 6)
#   imread, key=slice(None):       (5, 4, 6)
#   imread, metadata=None:         (5, 4, 6)
#   imread, written as one array:  (5, 4, 6)
#   pages: Pillow 5, OpenCV 5
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'tifffile==2026.3.3' 'pillow==13.0.0' \
    'opencv-contrib-python-headless==5.0.0.93' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import cv2
import numpy as np
import tifffile
from PIL import Image

film = np.arange(5 * 4 * 6, dtype=np.uint8).reshape(5, 4, 6)
with tifffile.TiffWriter("loop.tif") as out:
    for page in film:
        out.write(page, photometric="minisblack")
with tifffile.TiffWriter("bare.tif") as out:
    for page in film:
        out.write(page, photometric="minisblack", metadata=None)
tifffile.imwrite("whole.tif", film, photometric="minisblack")

shapes = {
    "written by a loop": tifffile.imread("loop.tif").shape,
    "key=slice(None)": tifffile.imread("loop.tif", key=slice(None)).shape,
    "metadata=None": tifffile.imread("bare.tif").shape,
    "written as one array": tifffile.imread("whole.tif").shape,
}
for name, shape in shapes.items():
    print(f"imread, {name}:".ljust(30), shape)
pages = Image.open("loop.tif").n_frames, len(cv2.imreadmulti("loop.tif", flags=cv2.IMREAD_UNCHANGED)[1])
print("pages: Pillow {}, OpenCV {}".format(*pages))
assert list(shapes.values()) == [(4, 6), (5, 4, 6), (5, 4, 6), (5, 4, 6)]
assert pages == (5, 5)
PY
