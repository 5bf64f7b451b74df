#!/usr/bin/env bash
# PyAV gives the frames of a DivX AVI in the right order, with each other's times.
#
# GUESS:     frame.time grows from frame to frame, so the frame at a time is the last one that is not later.
# VERSION:   PyAV 18.1.0, imageio-ffmpeg 0.8.1 (which encodes), OpenCV 5.0.0.93 for Python.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   DivX put a B-frame into the packet of the frame before it, and an empty one into its own, because
#            AVI has no times (packed B-frames; the clips of UCF-101 are of that age). Pictures come out in
#            order. Their times go 1 3 2 5 4 7 6 ...: each pair is swapped. So a frame that is chosen by its
#            time is another one, and by `searchsorted` over unsorted times none in particular. OpenCV, which
#            counts, is not concerned. Sorted, the times are those of the same film without packing.
# Output:
#   plain:  times 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
#   packed: times 1 3 2 5 4 7 6 9 8 11 10 13 12 15 14
#   the pictures of both are equal: True; OpenCV's times of the packed one grow: True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'av==18.1.0' 'imageio-ffmpeg==0.8.1' 'opencv-python-headless==5.0.0.93' 'numpy==2.3.5'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import subprocess

import av
import cv2
import imageio_ffmpeg
import numpy as np

PICTURE, WORDS = b"\0\0\1\xb6", b"\0\0\1\xb2DivX503b1393p"
NOTHING = PICTURE + b"\x58\0\0"

made = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi",
        "-i", "color=black:s=64x48:r=25:d=0.6,geq=lum='16+14*N':cb=128:cr=128",
        "-c:v", "mpeg4", "-q:v", "2", "-bf", "1", "-vtag", "DIVX", "plain.avi"]
subprocess.run(made, check=True)

with av.open("plain.avi") as plain, av.open("packed.avi", "w", format="avi") as packed:
    source = plain.streams.video[0]
    target = packed.add_stream_from_template(source)
    content = [bytes(packet) for packet in plain.demux(source) if packet.size]
    content[0] = content[0].replace(PICTURE, WORDS + PICTURE, 1)
    for number, data in enumerate(content):
        if data[data.index(PICTURE) + 4] >> 6 == 2:  # a B-frame
            content[number - 1] += data
            content[number] = NOTHING
    for number, data in enumerate(content):
        packet = av.Packet(data)
        packet.pts = packet.dts = number
        packet.time_base, packet.stream = source.time_base, target
        packet.is_keyframe = number == 0
        packed.mux(packet)


def decoded(path):
    with av.open(path) as container:
        frames = [*container.decode(video=0)]
        return [round(f.time * 25) for f in frames], [f.to_ndarray(format="gray") for f in frames]


def opencv(path):
    capture, times = cv2.VideoCapture(path), []
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    return times[:-1]  # of the last one it says 0


times, pictures = decoded("plain.avi")
swapped, same = decoded("packed.avi")
equal = np.array_equal(pictures, same)
told = opencv("packed.avi")
grows = told == sorted(told)
print("plain:  times", *times)
print("packed: times", *swapped)
print(f"the pictures of both are equal: {equal}; OpenCV's times of the packed one grow: {grows}")
assert times == [*range(1, 16)]
assert swapped == [1, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14]
assert equal and grows
PY
