#!/usr/bin/env bash
# One second of sound in an Ogg file: its length and rate depend on who reads it.
#
# GUESS:     a file of 16,000 samples at 16 kHz is read as 16,000 samples at 16 kHz by each decoder.
# VERSION:   soundfile 0.14.0, PyAV 18.1.0, NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   soundfile (libsndfile) gives back what it wrote. PyAV (FFmpeg's decoders) gives 128 samples more
#            of Vorbis: the last page says where the sound ends, and the rest of the block is not cut off. Of
#            Opus, whose decoder always works at 48 kHz, it gives 48,000 samples: the rate that was encoded
#            stands in the header and is ignored. With FLAC and MP3 both agree.
# Output (samples at rate):
#   flac    soundfile 16000 at 16000   PyAV 16000 at 16000
#   mp3     soundfile 16000 at 16000   PyAV 16000 at 16000
#   vorbis  soundfile 16000 at 16000   PyAV 16128 at 16000
#   opus    soundfile 16000 at 16000   PyAV 48000 at 48000
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'soundfile==0.14.0' 'av==18.1.0' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import av
import numpy as np
import soundfile

RATE = 16000
tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
kinds = {"flac": ("FLAC", None), "mp3": ("MP3", None), "vorbis": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS")}
seen = {}
for name, (container, codec) in kinds.items():
    soundfile.write(name, tone, RATE, format=container, subtype=codec)
    samples, rate = soundfile.read(name)
    with av.open(name) as opened:
        frames = list(opened.decode(audio=0))
    seen[name] = len(samples), rate, sum(frame.samples for frame in frames), frames[0].sample_rate
    print("{:7} soundfile {} at {}   PyAV {} at {}".format(name, *seen[name]))
whole = (RATE, RATE)
assert seen == {
    "flac": (*whole, *whole),
    "mp3": (*whole, *whole),
    "vorbis": (*whole, 16128, RATE),
    "opus": (*whole, 48000, 48000),
}
PY
