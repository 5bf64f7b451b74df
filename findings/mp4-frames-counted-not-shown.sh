#!/usr/bin/env bash
# A clip cut without re-encoding: the frame counts of OpenCV and PyAV name frames that nobody can read.
#
# GUESS:     CAP_PROP_FRAME_COUNT and stream.frames are the number of frames that reading gives.
# VERSION:   imageio-ffmpeg 0.8.1 (its own ffmpeg), OpenCV 5.0.0.93 (headless, contrib), PyAV 18.1.0.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   "-ss ... -c copy" keeps all coded frames from the key frame on and hides the first ones by an
#            edit list. The counts come from the table of coded frames; decoding follows the edit list.
#            All three readers decode the same 37 frames, and 50 are promised. A sampler that picks
#            "frame count / 8" steps runs past the end.
# Output:
#   counted: OpenCV 50, PyAV 50
#   decoded: OpenCV 37, PyAV 37, ffmpeg 37
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'imageio-ffmpeg==0.8.1' 'opencv-contrib-python-headless==5.0.0.93' \
    'av==18.1.0' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import subprocess

import av
import cv2
import imageio_ffmpeg


def ffmpeg(*arguments: str) -> bytes:
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments]
    return subprocess.run(program, check=True, capture_output=True).stdout


ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=2", "-pix_fmt", "yuv420p",
       "-c:v", "libx264", "-g", "50", "whole.mp4")
ffmpeg("-ss", "0.5", "-i", "whole.mp4", "-c", "copy", "cut.mp4")

capture = cv2.VideoCapture("cut.mp4")
counted = [int(capture.get(cv2.CAP_PROP_FRAME_COUNT))]
decoded = [0]
while capture.read()[0]:
    decoded[0] += 1
with av.open("cut.mp4") as container:
    counted.append(container.streams.video[0].frames)
    decoded.append(sum(1 for _ in container.decode(video=0)))
decoded.append(len(ffmpeg("-i", "cut.mp4", "-f", "rawvideo", "-pix_fmt", "gray", "-")) // (64 * 48))
print("counted: OpenCV {}, PyAV {}".format(*counted))
print("decoded: OpenCV {}, PyAV {}, ffmpeg {}".format(*decoded))
assert counted == [50, 50]
assert decoded == [37, 37, 37]
PY
