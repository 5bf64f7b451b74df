"""Start a cluster run from a copy of the code, so that editing during the run changes nothing.

Jobs may start days after the run did, and each of them reads Snakefile, code and parameters anew.
``snakemake --profile slurm`` therefore reads ``frozen.smk`` of that profile first, which calls
``start``: it copies what a job reads to ``state/code/<digest>``, checks the parameters and merges
the overlays into the copy, and goes on as the very same command with the Snakefile there. All paths
of data and results stay those of the project folder.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from equipoise import files, layout, params, provenance

#: What a job reads of the project folder, beside data and results.
READ = ("Snakefile", "params.yaml", "envs", "src", "workflow")


def freeze(overlays: Iterable[Path]) -> Path:
    """Copy the code to a folder that is named by its content; return the folder.

    Raises:
        UserError: The parameters are not valid.
    """
    params.load(Path("params.yaml"), overlays := list(overlays))
    shelf = layout.state("code").absolute()
    shelf.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shelf, prefix=".") as temporary:
        copy = Path(temporary) / "copy"
        with files.writing(copy, copy):
            copy.mkdir()
            for name in READ:
                _copy(Path(name), copy / name)
        if overlays:
            params.apply(copy / "params.yaml", overlays)
        files.write_json(copy / provenance.FROZEN, asdict(provenance.code()))
        paths = sorted(path for path in copy.rglob("*") if path.is_file())
        frozen = shelf / files.digest(
            [[str(path.relative_to(copy)), files.sha256(path)] for path in paths]
        )
        try:
            copy.replace(frozen)
        except OSError:  # it is there, from an earlier run of the same code
            if not frozen.is_dir():
                raise
    return frozen


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.sif"))
    else:
        shutil.copy(source, target)


def start(overlays: Iterable[Path]) -> None:
    """Replace this process by the same command on the frozen copy; only errors return."""
    frozen = freeze(overlays)
    print(f"Jobs run from a copy of the code: {frozen.relative_to(Path.cwd())}", file=sys.stderr)
    given = len(sys.argv) - 1
    head = sys.orig_argv[1 : len(sys.orig_argv) - given]
    command = [sys.executable, *head, "--snakefile", str(frozen / "Snakefile"), *sys.argv[1:]]
    os.execv(sys.executable, command)
