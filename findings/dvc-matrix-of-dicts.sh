#!/usr/bin/env bash
# A row put at the front of a DVC matrix of dictionaries renames all stages behind it.
#
# GUESS:     stages of a matrix are named by what they hold, so an added row adds one stage.
# VERSION:   DVC 3.67.1.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   a value that is a text or a number is part of the name (size@small). A dictionary has no name:
#            its place in the list stands there (train@run0), even if it has a key "name". After a row is
#            added in front, each entry of dvc.lock belongs to another row, and "dvc status" says "changed
#            command" of stages whose rows and outputs are untouched. Add rows at the end, or use plain
#            values.
# Output (stages; then those with "changed command" after a row z was put in front of a and b, and "tiny" in
# front of "small"):
#   train@run0 train@run1 size@small size@large
#   changed: train@run0 train@run1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'dvc==3.67.1'
mkdir project
cd project
../venv/bin/dvc init --quiet --no-scm
cat >dvc.yaml <<'YAML'
stages:
  train:
    matrix:
      run:
        - {name: a, rate: 1}
        - {name: b, rate: 2}
    cmd: echo ${item.run.rate} > ${item.run.name}.txt
    outs: ["${item.run.name}.txt"]
  size:
    matrix:
      width: [small, large]
    cmd: echo ${item.width} > ${item.width}.txt
    outs: ["${item.width}.txt"]
YAML
../venv/bin/dvc repro --quiet
../venv/bin/dvc stage list --name-only | xargs echo >stages.txt
sed -i 's/- {name: a/- {name: z, rate: 9}\n        &/; s/\[small/[tiny, small/' dvc.yaml
../venv/bin/dvc status --json >status.json
../venv/bin/python - <<'PY' || { echo 'not as stated any more' >&2; exit 1; }
import json

with open("stages.txt") as listed:
    stages = listed.read().split()
with open("status.json") as written:
    status = json.load(written)
new = {"train@run2", "size@tiny"}  # these have no entry in dvc.lock yet
changed = sorted(name for name, why in status.items() if "changed command" in why and name not in new)
print(*stages)
print("changed:", *changed)
assert stages == ["train@run0", "train@run1", "size@small", "size@large"]
assert changed == ["train@run0", "train@run1"]
PY
