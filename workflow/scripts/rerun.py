"""Run one job again: ``rerun train keypad lfm-heuristic 0``, in Snakemake or in DVC.

What depends on it is left to the next plain ``snakemake`` or ``dvc repro``, which runs no more than
that, and nothing if the new outputs are the old ones.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from equipoise import layout, params
from equipoise.errors import UserError, ending_in_one_line


def main() -> int:
    """Return the exit status of the tool."""
    parser = argparse.ArgumentParser(prog="rerun", description=__doc__)
    parser.add_argument("stage", choices=layout.STAGES)
    parser.add_argument("cell", nargs="*", help="data set, method, seed: as far as the stage has")
    parser.add_argument("--dvc", action="store_true", help="by DVC, which records it, too")
    parser.add_argument("--configfile", type=Path, action="append", default=[], help="overlays")
    options = parser.parse_args()
    overlays: list[Path] = options.configfile
    if options.dvc and overlays:
        raise UserError("DVC sees no overlay; run `equipoise params apply` first")
    parameters = params.load(overlays=overlays)
    _check(parameters, options.stage, options.cell)
    if options.dvc:
        name = _dvc_stage(parameters, options.stage, *options.cell[1:2])
        target = "@".join(filter(None, [name, "-".join(options.cell)]))
        return subprocess.run(["dvc", "repro", "--single-item", "--force", target]).returncode
    command = ["snakemake", "--quiet", "host", "--force"]
    if not os.environ.get("SNAKEMAKE_PROFILE"):
        command += ["--cores", os.environ.get("CORES", "all")]
    for overlay in overlays:
        command += ["--configfile", str(overlay)]
    outputs = layout.outputs(options.stage, *options.cell)
    rules = [options.stage, *(["extract_part"] if options.stage == "extract" else [])]
    command += ["--allowed-rules", *rules, "--", *map(str, outputs.values())]
    return subprocess.run(command).returncode


def _dvc_stage(parameters: params.Params, stage: str, method: str = "") -> str:
    """Return the stage of dvc.yaml: the methods of each table but the first have their own."""
    table = parameters.methods.table_of(method) if method in parameters.method_names else ""
    return f"{stage}_{table}" if table not in ("", "from_scratch") else stage


def _check(parameters: params.Params, stage: str, cell: list[str]) -> None:
    names = layout.CELL[stage]
    if len(cell) != len(names):
        raise UserError(
            f"stage {stage} wants {len(names)} name(s) behind it"
            + (f": {', '.join(names)}" if names else "")
        )
    values = dict(zip(names, cell, strict=True))
    parameters.expect(values.get("dataset", ""), values.get("method", ""))
    seeds = list(map(str, parameters.seeds))
    if "seed" in values and values["seed"] not in seeds:
        raise UserError(f"unknown seed {values['seed']!r}; known: {', '.join(seeds)}")


if __name__ == "__main__":
    with ending_in_one_line():
        sys.exit(main())
