#!/usr/bin/env bash
# Two clear clusters are lost by GaussianMixture when the scores are small.
#
# GUESS:     a mixture of two Gaussians finds the same groups in x and in x / 10,000.
# VERSION:   scikit-learn 1.9.1, NumPy 2.4.6, SciPy 1.17.1.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   reg_covar, 1e-6 by default, is added to each variance, in units of the data squared.
#            Beside scores near 1 it is nothing. Beside differences of losses near 1e-4 it is a hundred
#            times the variance: both means fall together, every posterior is near one half, and the fit
#            says that it converged. Standardise first, or set reg_covar.
# Output (two groups, means 0 and 4, deviations 1 and 0.5; means of the fit in units of the scale):
#   scale 1       means -0.03  4.01  posterior of a point at 4: 1.00  converged True
#   scale 0.0001  means  1.98  1.98  posterior of a point at 4: 0.51  converged True
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'scikit-learn==1.9.1' 'numpy==2.4.6' 'scipy==1.17.1'
OMP_NUM_THREADS=1 venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import numpy as np
from sklearn.mixture import GaussianMixture

draw = np.random.default_rng(0)
scores = np.concatenate([draw.normal(0, 1, 300), draw.normal(4, 0.5, 300)])[:, None]
seen = {}
for scale in (1, 1e-4):
    fit = GaussianMixture(2, random_state=0).fit(scale * scores)
    means = np.sort(fit.means_.ravel()) / scale
    posterior = fit.predict_proba([[4 * scale]]).max()
    seen[scale] = means, posterior
    print("scale {:<7g} means {:5.2f} {:5.2f}  posterior of a point at 4: {:.2f}  converged {}".format(
        scale, *means, posterior, fit.converged_))
    assert fit.converged_
assert np.allclose(seen[1][0], (0, 4), atol=0.15) and seen[1][1] > 0.95
assert np.ptp(seen[1e-4][0]) < 0.1 and seen[1e-4][1] < 0.55
PY
