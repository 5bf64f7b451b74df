#!/usr/bin/env bash
# From 44.1 to 16 kHz: three libraries round the length of the result in three ways.
#
# GUESS:     the number of samples after resampling is the same whoever resamples.
# VERSION:   soxr 1.1.0, SciPy 1.17.1, samplerate 0.2.4, NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   of n samples, n * 160 / 441 is rarely whole. SciPy's resample_poly rounds it up, soxr to the
#            nearest, samplerate (libsamplerate) down, and does so after a product in floating point: of
#            44,100 samples, one second, 15,999 are left. A store of features with a fixed length, or an
#            alignment with labels per sample, changes with the library by one.
# Output (n, exact, then SciPy, soxr, samplerate):
#   44100  16000.00  16000 16000 15999
#   44101  16000.36  16001 16000 16000
#    1000    362.81    363   363   362
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'soxr==1.1.0' 'scipy==1.17.1' 'samplerate==0.2.4' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import numpy as np
import samplerate
import scipy.signal
import soxr

seen = []
for n in (44100, 44101, 1000):
    silence = np.zeros(n, np.float32)
    lengths = (
        len(scipy.signal.resample_poly(silence, 160, 441)),
        len(soxr.resample(silence, 44100, 16000)),
        len(samplerate.resample(silence, 160 / 441, "sinc_fastest")),
    )
    print("{:5} {:9.2f}  {:5} {:5} {:5}".format(n, n * 160 / 441, *lengths))
    seen.append(lengths)
assert seen == [(16000, 16000, 15999), (16001, 16000, 16000), (363, 363, 362)]
PY
