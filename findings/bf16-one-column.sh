#!/usr/bin/env bash
# On a CPU with AMX, a strided convolution in bfloat16 whose output is one column wide is wrong, without a word.
#
# GUESS:     autocast to bfloat16 on a CPU costs digits: what comes out is within about 1 % of float32.
# VERSION:   PyTorch 2.13.0 (with its oneDNN), an Intel Xeon with amx_bf16 in /proc/cpuinfo.
# SOURCE:    the program below. PyTorch issue 169688 tells of Conv3d; this is Conv2d, as networks on
#            spectrograms and on narrow feature maps have it.
# REALITY:   432 of 432 convolutions with an output of one column and a horizontal stride of 2 or 4 differ from
#            float32 by more than a tenth, or are NaN; none of 432 others does. With ONEDNN_MAX_CPU_ISA set to
#            AVX512_CORE_BF16 before the start all are right. On a CPU without AMX all are right, and this script
#            can only say so.
# Output (CPU with AMX):
#   as it is:     one column, stride > 1: 432 of 432 wrong; others: 0 of 432
#   without AMX:  one column, stride > 1: 0 of 432 wrong; others: 0 of 432
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH ONEDNN_MAX_CPU_ISA
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'torch==2.13.0' 'numpy==2.4.6'
cat > count.py <<'PY'
import itertools

import torch
from torch.nn import functional

torch.manual_seed(0)
KERNELS = ((3, 3), (5, 5), (1, 3))
wrong, tried = [0, 0], [0, 0]
for batch, inputs, outputs, height, kernel, stride, width in itertools.product(
    (2, 16), (3, 8, 64), (8, 64), (5, 9), KERNELS, (1, 2, 4), (1, 2, 3, 4)
):
    maps, weights = torch.randn(batch, inputs, height, width), torch.randn(outputs, inputs, *kernel)
    how = {"stride": (1, stride), "padding": (kernel[0] // 2, kernel[1] // 2)}
    right = functional.conv2d(maps, weights, **how)
    found = functional.conv2d(maps.bfloat16(), weights.bfloat16(), **how).float()
    kind = int(not (right.shape[3] == 1 and stride > 1))
    tried[kind] += 1
    wrong[kind] += not (found - right).norm() < 0.1 * right.norm()  # NaN is wrong, too
print(
    f"one column, stride > 1: {wrong[0]} of {tried[0]} wrong; others: {wrong[1]} of {tried[1]}"
)
PY
found=$(venv/bin/python count.py)
without=$(ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 venv/bin/python count.py)
printf 'as it is:     %s\nwithout AMX:  %s\n' "$found" "$without"
right='one column, stride > 1: 0 of 432 wrong; others: 0 of 432'
stated=$right
if grep -qw amx_bf16 /proc/cpuinfo; then
    stated='one column, stride > 1: 432 of 432 wrong; others: 0 of 432'
else
    echo 'no AMX here'
fi
[[ $found == "$stated" && $without == "$right" ]] || { echo 'not as stated any more' >&2; exit 1; }
