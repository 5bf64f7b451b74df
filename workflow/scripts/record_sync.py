"""Hand results from one tool to the other: ``record`` (Snakemake to DVC), ``sync`` (DVC to it)."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

from code_files import write_lists
from origin import write_origins
from provenance import only_this_grid

from equipoise import files, params
from equipoise.errors import UserError, ending_in_one_line


def record() -> None:
    """Have DVC record what Snakemake made; refuse unless Snakemake says that all is done."""
    fill_tables()
    parameters = params.load()
    dry = _run("snakemake", "--dry-run", EQUIPOISE_RECORD="1", SNAKEMAKE_PROFILE="none")
    if dry.returncode:
        raise UserError(_errors(dry.stdout))
    if "Nothing to be done" not in dry.stdout:
        raise UserError("Snakemake still has jobs to run (snakemake --dry-run says which)")
    write_lists(parameters)
    write_origins(parameters)
    with only_this_grid(parameters):
        # Without --no-relink the files get new mtimes, and Snakemake's records no longer fit.
        _must("dvc", "commit", "--force", "--no-relink", "--quiet")


def fill_tables(path: Path = Path("params.yaml")) -> None:
    """Write out the empty tables of data sets: Snakemake fills them in, DVC wants them there."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 10_000
    tree = yaml.load(path.read_text(encoding="utf-8"))
    missing = [
        (entry, name)
        for entry in tree["datasets"].values()
        for name in params.DatasetEntry.model_fields
        if name not in entry
    ]
    if not missing:
        return
    for entry, name in missing:
        entry[name] = {}
    text = io.StringIO()
    yaml.dump(tree, text)
    files.write_text(path, text.getvalue())
    names = ", ".join(dict.fromkeys(name for _, name in missing))
    print(f"{path}: wrote out empty tables of data sets, which DVC wants ({names})")


def sync() -> None:
    """Write Snakemake's records of all files; refuse unless DVC says that all is as recorded."""
    parameters = params.load()
    write_lists(parameters)
    write_origins(parameters)
    with only_this_grid(parameters):
        _must("dvc", "commit", "--force", "--no-relink", "--quiet", "code", "origin")
        status = _run("dvc", "status", "--json")
        if status.returncode or _stale(status.stdout):
            sys.stdout.write(status.stdout)
            raise UserError(
                "the folder is not what dvc.lock records; run dvc checkout, dvc pull, dvc repro, "
                "or snakemake and workflow/scripts/record"
            )
    _must(
        *("snakemake", "--cores", "1", "--touch", "--forceall", "--quiet", "all"),
        EQUIPOISE_SYNC="1",
        SNAKEMAKE_PROFILE="none",
    )


def _stale(status: str) -> list[str]:
    """Return the stages that are not as recorded; ``origin`` is looked at every time anyway."""
    try:
        stages = dict(json.loads(status.strip().splitlines()[-1]))
    except (ValueError, IndexError):
        return [status]
    return [name for name, why in stages.items() if why != ["always changed"]]


def _run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _must(*command: str, **environment: str) -> None:
    result = _run(*command, **environment)
    if result.returncode:
        raise UserError(f"{' '.join(command)}: {_errors(result.stdout)}")


def _errors(text: str) -> str:
    """Return the lines of a tool's output that tell of an error, or all of it."""
    lines = text.strip().splitlines()
    said = "\n".join([line for line in lines if "error" in line.lower()] or lines)
    return said or "failed without a word; run it without --quiet"


if __name__ == "__main__":
    with ending_in_one_line():
        {"record": record, "sync": sync}[sys.argv[1]]()
