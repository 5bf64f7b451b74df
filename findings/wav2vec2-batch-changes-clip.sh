#!/usr/bin/env bash
# What Wav2Vec2's feature extractor gives for a clip depends on the other clips of the batch.
#
# GUESS:     each clip is normalised by its own mean and deviation, without the zeros that fill it up.
# VERSION:   transformers 5.23.0 (without PyTorch), NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   the default is return_attention_mask=False, and without the mask the statistics are taken over
#            clip and padding together. One second of noise comes out with deviation 1 alone, and with
#            deviation 2 beside a clip of four seconds: the same sound, twice as loud for the network. With
#            return_attention_mask=True it is 1 in both cases.
# Output (deviation of the first clip's own samples):
#   mask False  alone 1.00  beside a longer clip 2.00
#   mask True   alone 1.00  beside a longer clip 1.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'transformers==5.23.0' 'numpy==2.4.6'
venv/bin/python - 2>log.txt <<'PY' || { cat log.txt >&2; exit 1; }
import numpy as np
from transformers import Wav2Vec2FeatureExtractor

draw = np.random.default_rng(0)
short, long = (draw.normal(0, 0.1, seconds * 16000).astype(np.float32) for seconds in (1, 4))
assert Wav2Vec2FeatureExtractor().return_attention_mask is False
seen = []
for mask in (False, True):
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=mask)
    deviations = []
    for batch in ([short], [short, long]):
        given = extractor(batch, sampling_rate=16000, padding=True, return_tensors="np")["input_values"]
        deviations.append(float(given[0, : len(short)].std()))
    print("mask {!s:5}  alone {:.2f}  beside a longer clip {:.2f}".format(mask, *deviations))
    seen.append(deviations)
assert np.allclose(seen, [[1, 2], [1, 1]], atol=0.01)
PY
