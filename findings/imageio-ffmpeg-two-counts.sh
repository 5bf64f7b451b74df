#!/usr/bin/env bash
# imageio-ffmpeg counts 10 frames in a file and then yields 87.
#
# GUESS:     count_frames_and_secs says how many frames read_frames of the same package will yield.
# VERSION:   imageio-ffmpeg 0.8.1 (its own ffmpeg), PyAV 18.1.0.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   a valid .mp4 whose frames have unequal distances: five frames, a gap of 1.6 s, five frames.
#            Counting keeps the times as they are: 10. Reading pipes raw video, which has no times, and
#            ffmpeg fills the gap with copies of frames. So an array allocated from the count is too short,
#            and "every n-th frame" takes copies. With output_params=["-fps_mode", "passthrough"] reading
#            gives 10, too. PyAV gives each frame once, with its time.
# Output:
#   counted 10, read 87, read with passthrough 10
#   PyAV 10 at [0.0, 0.04, 0.08, 0.12, 0.16, 1.8, 1.84, 1.88, 1.92, 1.96] s
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'imageio-ffmpeg==0.8.1' 'av==18.1.0'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import subprocess

import av
import imageio_ffmpeg

made = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi",
        "-i", "testsrc=size=64x48:rate=25:duration=2", "-vf", "select='lt(n,5)+gt(n,44)'",
        "-fps_mode", "vfr", "-pix_fmt", "yuv420p", "gap.mp4"]
subprocess.run(made, check=True)

counted, _ = imageio_ffmpeg.count_frames_and_secs("gap.mp4")


def read(*parameters: str) -> int:
    reader = imageio_ffmpeg.read_frames("gap.mp4", output_params=list(parameters))
    next(reader)  # what is known of the file; frames follow
    return sum(1 for _ in reader)


copies, passed = read(), read("-fps_mode", "passthrough")
with av.open("gap.mp4") as container:
    times = [round(frame.time, 2) for frame in container.decode(video=0)]
print(f"counted {counted}, read {copies}, read with passthrough {passed}")
print(f"PyAV {len(times)} at {times} s")
assert (counted, copies, passed) == (10, 87, 10)
assert times == [0.0, 0.04, 0.08, 0.12, 0.16, 1.8, 1.84, 1.88, 1.92, 1.96]
PY
