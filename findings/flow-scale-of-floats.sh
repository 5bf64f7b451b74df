#!/usr/bin/env bash
# Two optical flow methods of OpenCV want float pictures on opposite scales, and neither says so.
#
# GUESS:     float grey pictures work with each method on the same scale, or are refused.
# VERSION:   OpenCV 5.0.0.93 (headless, contrib), NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   a smooth picture, shifted by (3.5, -1.25) pixels. On 8-bit grey both methods find the shift. On
#            floats 0..1 Farneback answers rest, without a warning: it expects 0..255. TV-L1 finds
#            the shift in 0..1; on 0..255 its median is right, but single vectors are up to 224 pixels
#            long. So no float scale serves both; 8 bits do.
# Output (median right, down; then whether any vector is longer than 10 pixels):
#   8 bits        Farneback  3.50 -1.29  False   TV-L1  3.50 -1.25  False
#   float 0..1    Farneback  0.00  0.00  False   TV-L1  3.50 -1.25  False
#   float 0..255  Farneback  3.50 -1.30  False   TV-L1  3.50 -1.25  True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'opencv-contrib-python-headless==5.0.0.93' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import cv2
import numpy as np

cv2.setNumThreads(1)
noise = np.random.default_rng(0).random((120, 160)).astype(np.float32)
first = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 1, cv2.NORM_MINMAX)
shift = np.array([[1, 0, 3.5], [0, 1, -1.25]], np.float32)
second = cv2.warpAffine(first, shift, (160, 120), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def eight_bits(picture):
    return np.clip(np.round(255 * picture), 0, 255).astype(np.uint8)


def farneback(one, other):
    return cv2.calcOpticalFlowFarneback(one, other, None, 0.5, 3, 15, 3, 5, 1.2, 0)


def tvl1(one, other):
    return cv2.optflow.DualTVL1OpticalFlow_create().calc(one, other, None)


scales = {"8 bits": eight_bits, "float 0..1": lambda x: x, "float 0..255": lambda x: 255 * x}
seen = {}
for name, scale in scales.items():
    line = f"{name:13}"
    for method, compute in {"Farneback": farneback, "TV-L1": tvl1}.items():
        flow = compute(scale(first), scale(second))
        median = np.median(flow[20:-20, 20:-20], axis=(0, 1)).round(2) + 0.0
        seen[name, method] = median, bool(np.abs(flow).max() > 10)
        line += " {}  {:.2f} {:5.2f}  {!s:5}  ".format(method, *median, seen[name, method][1])
    print(line.rstrip())
for key, (median, wild) in seen.items():
    rest = key == ("float 0..1", "Farneback")
    assert np.allclose(median, (0, 0) if rest else (3.5, -1.25), atol=0.01 if rest else 0.1), key
    assert wild == (key == ("float 0..255", "TV-L1")), key
PY
