#!/usr/bin/env bash
# imageio reads all frames of a GIF and only the first one of the same film as WebP or AVIF.
#
# GUESS:     imread without an index gives the whole animation, or one picture, whatever the format.
# VERSION:   imageio 2.38.1, Pillow 13.0.0, NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   the Pillow plugin takes all frames of GIF and PNG, and frame 0 of WebP and AVIF; improps
#            agrees with that, so the shape does not tell that there is more. imiter, and Pillow
#            itself, find five frames in each file.
# Output (shape from imread; frames from imiter; Pillow's n_frames):
#   gif   (5, 16, 16, 3)  5  5
#   png   (5, 16, 16, 3)  5  5
#   webp  (16, 16, 3)     5  5
#   avif  (16, 16, 3)     5  5
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'imageio==2.38.1' 'pillow==13.0.0' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import imageio.v3 as iio
from PIL import Image

film = [Image.new("RGB", (16, 16), (40 * index, 10 * index, 0)) for index in range(5)]
for kind in ("gif", "png", "webp", "avif"):
    name = f"film.{kind}"
    film[0].save(name, save_all=True, append_images=film[1:], duration=100)
    shape = iio.imread(name, plugin="pillow").shape
    frames = sum(1 for _ in iio.imiter(name, plugin="pillow"))
    with Image.open(name) as picture:
        counted = picture.n_frames
    print(f"{kind:5} {shape!s:15} {frames}  {counted}")
    assert shape == ((5, 16, 16, 3) if kind in ("gif", "png") else (16, 16, 3))
    assert iio.improps(name, plugin="pillow").shape == shape
    assert frames == counted == 5
PY
