#!/usr/bin/env bash
# In PyAV, to ask a frame with EXIF for any side data raises ValueError.
#
# GUESS:     side_data.get(KIND) gives None where a frame has nothing of that kind.
# VERSION:   PyAV 18.1.0 (with the FFmpeg of its wheel, libavutil 60.26), Pillow 12.0.0.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   FFmpeg 8 hands the whole EXIF of a picture on as side data of a new kind (31). PyAV's list of kinds
#            has no name for it, and all side data get a name before one is looked up. So `len`, a loop and
#            `get("DISPLAYMATRIX")` raise for JPEG, PNG and WebP with any EXIF, whether it holds an orientation
#            or the name of a camera, and for every TIFF, whose own tags count as EXIF. JPEG, PNG and WebP
#            without EXIF give None. `rotation` goes another way and is right.
# Output:
#   without EXIF: jpg None, png None, webp None, tiff ValueError: 31 is not a valid Type
#   with EXIF: jpg, png, webp, tiff ValueError: 31 is not a valid Type
#   rotation of those with an orientation: -90
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'av==18.1.0' 'pillow==12.0.0' 'numpy==2.3.5'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import av
from PIL import Image

FORMATS = ["jpg", "png", "webp", "tiff"]
MAKER, ORIENTATION = 0x010F, 0x0112


def first(path):
    with av.open(path) as container:
        return next(container.decode(video=0))


def matrix(path):
    try:
        return str(first(path).side_data.get("DISPLAYMATRIX"))
    except ValueError as error:
        return f"ValueError: {error}"


picture = Image.effect_noise((64, 48), 60).convert("RGB")
maker, turned = Image.Exif(), Image.Exif()
maker[MAKER] = "a camera"
turned[ORIENTATION] = 6
plain, with_exif, rotations = {}, set(), set()
for suffix in FORMATS:
    picture.save(f"plain.{suffix}")
    picture.save(f"maker.{suffix}", exif=maker)
    picture.save(f"turned.{suffix}", exif=turned)
    plain[suffix] = matrix(f"plain.{suffix}")
    with_exif |= {matrix(f"maker.{suffix}"), matrix(f"turned.{suffix}")}
    rotations.add(first(f"turned.{suffix}").rotation)
nameless = "ValueError: 31 is not a valid Type"
print(f"without EXIF: {', '.join(f'{k} {v}' for k, v in plain.items())}")
print(f"with EXIF: {', '.join(FORMATS)} {', '.join(with_exif)}")
print(f"rotation of those with an orientation: {', '.join(map(str, rotations))}")
assert plain == {"jpg": "None", "png": "None", "webp": "None", "tiff": nameless}
assert with_exif == {nameless}
assert rotations == {-90}
PY
