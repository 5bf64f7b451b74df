#!/usr/bin/env bash
# One params.yaml means three different things to Snakemake, DVC and OmegaConf.
#
# GUESS:     tools that share a parameter file read the same values from it.
# VERSION:   Snakemake 9.27.1, DVC 3.67.1, OmegaConf 2.3.1.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   Snakemake reads YAML 1.1: 1e-3 (no dot) is a text, "no" is false, 12:30:45 is a number of
#            seconds (base 60), 010 is octal. DVC reads YAML 1.2: a float, a text, a text, ten. OmegaConf is
#            1.1 but for the float. So a graph that two of them run gets another learning rate (or a text),
#            class name, start time and number of folds. Write 1.0e-3 and 10, and quote texts.
# Output:
#              lr: 1e-3   label: no   start: 12:30:45   folds: 010
#   Snakemake  '1e-3'     False       45045             8
#   DVC        0.001      'no'        '12:30:45'        10
#   OmegaConf  0.001      False       45045             8
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'snakemake==9.27.1' 'dvc==3.67.1' 'omegaconf==2.3.1'
venv/bin/dvc init --quiet --no-scm
printf '%s\n' 'lr: 1e-3' 'label: no' 'start: 12:30:45' 'folds: 010' >params.yaml
cat >Snakefile <<'SMK'
import json


configfile: "params.yaml"


rule all:
    run:
        with open("snakemake.json", "w") as out:
            json.dump(dict(config), out)
SMK
PATH="$work/venv/bin:$PATH" snakemake --cores 1 --quiet all >log.txt 2>&1 || { cat log.txt >&2; exit 1; }
venv/bin/python - <<'PY'
import json

import dvc.api
from omegaconf import OmegaConf

with open("snakemake.json") as written:
    seen = {"Snakemake": json.load(written)}
seen["DVC"] = dvc.api.params_show()
seen["OmegaConf"] = OmegaConf.to_container(OmegaConf.load("params.yaml"))
names = ("lr", "label", "start", "folds")
print("           lr: 1e-3   label: no   start: 12:30:45   folds: 010")
for tool, values in seen.items():
    print("{:10} {!r:10} {!r:11} {!r:17} {!r}".format(tool, *(values[name] for name in names)))
assert [[values[name] for name in names] for values in seen.values()] == [
    ["1e-3", False, 45045, 8],
    [0.001, "no", "12:30:45", 10],
    [0.001, False, 45045, 8],
]
PY
