#!/usr/bin/env bash
# scipy.signal.decimate makes a constant signal 1.1 % smaller, and works along another axis than its peers.
#
# GUESS:     lowering the rate of a sensor keeps its mean, and the three functions share a default axis.
# VERSION:   SciPy 1.17.1, NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   the default filter is a Chebyshev of even order: at frequency 0 it stands at the bottom of its
#            ripple, and filtering forth and back doubles that. Ones become 0.9886, whatever the factor;
#            ftype="fir" and resample_poly keep 1. Of an array (time, channels) decimate thins out the
#            channels, resample_poly and resample the times, if axis is not said.
# Output:
#   decimate 0.9886 (by 2), 0.9886 (by 4); fir 1.0000; resample_poly 1.0000
#   (400, 60) by 2: decimate (400, 30), resample_poly (200, 60), resample (200, 60)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'scipy==1.17.1' 'numpy==2.4.6'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import numpy as np
from scipy.signal import decimate, resample, resample_poly

ones = np.ones(4000)
levels = [float(np.median(level)) for level in (
    decimate(ones, 2), decimate(ones, 4), decimate(ones, 4, ftype="fir"), resample_poly(ones, 1, 4))]
print("decimate {:.4f} (by 2), {:.4f} (by 4); fir {:.4f}; resample_poly {:.4f}".format(*levels))
sensor = np.zeros((400, 60))
shapes = [decimate(sensor, 2).shape, resample_poly(sensor, 1, 2).shape, resample(sensor, 200).shape]
print("(400, 60) by 2: decimate {}, resample_poly {}, resample {}".format(*shapes))
assert np.allclose(levels, [0.98855, 0.98855, 1, 1], atol=1e-4)
assert shapes == [(400, 30), (200, 60), (200, 60)]
PY
