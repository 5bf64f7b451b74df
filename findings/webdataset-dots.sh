#!/usr/bin/env bash
# WebDataset makes one sample of different clips when their names have a dot in them.
#
# GUESS:     "1.5s.wav" and "1.5s.txt" are sample "1.5s" with parts "wav" and "txt".
# VERSION:   webdataset 1.0.2, braceexpand 0.1.7, PyYAML 6.0.3, NumPy 2.4.6.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   the name is split at its first dot, not at its last: the key is "1", the parts are "5s.wav" and
#            "5s.txt". A clip "1.7s" that follows has the key "1" as well and joins the same sample: of three
#            clips two samples are left, and nothing is said.
# Output:
#   1 ['5s.wav', '5s.txt', '7s.wav', '7s.txt']
#   2 ['5s.wav', '5s.txt']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'webdataset==1.0.2' 'braceexpand==0.1.7' 'pyyaml==6.0.3' 'numpy==2.4.6'
venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import io
import tarfile

import webdataset

with tarfile.open("clips.tar", "w") as shard:
    for clip in ("1.5s", "1.7s", "2.5s"):
        for part in ("wav", "txt"):
            member = tarfile.TarInfo(f"{clip}.{part}")
            member.size = 1
            shard.addfile(member, io.BytesIO(b"x"))
seen = [
    (sample["__key__"], [part for part in sample if not part.startswith("__")])
    for sample in webdataset.WebDataset("clips.tar", shardshuffle=False)
]
for key, parts in seen:
    print(key, parts)
assert seen == [("1", ["5s.wav", "5s.txt", "7s.wav", "7s.txt"]), ("2", ["5s.wav", "5s.txt"])]
PY
