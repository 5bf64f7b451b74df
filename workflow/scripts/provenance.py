"""Does Snakemake's record of each output still describe the file that is there?

DVC and git put other versions of files in place without Snakemake knowing, and its records
(.snakemake/metadata) then tell of parameters that made another file. A record fits a file if its
end time is the file's mtime. ``dvc repro`` links an output anew after the job wrote it, so that
``cell`` notes what it made: a file also fits if dvc.lock still has the noted checksum and Snakemake
has not run the job since. git writes the outputs that it keeps anew, too (a stash, pre-commit), so
that every run notes those: they fit as long as they have the noted checksum.

The format of the records is Snakemake's own affair: a record that cannot be read counts as fitting,
so that a new Snakemake costs the warning, not the run.
"""

import contextlib
import hashlib
import itertools
import json
import shutil
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

from equipoise import files, layout, params
from equipoise.errors import ending_in_one_line

NOTES = Path(".snakemake/dvc_cells.json")
ASIDE = Path("state/aside")
#: Outputs that git keeps, not DVC.
IN_GIT = (layout.compare()["table"], layout.compare()["metrics"])
#: Folders that dvc.yaml gives to stage compare as a whole.
SHARED = tuple(
    map(
        Path,
        (
            "data/raw",
            "data/features",
            "data/splits",
            "models/warmup",
            "models/train",
            "results/audit",
            "results/gap",
            "results/search",
            "results/evaluate",
        ),
    )
)


def outputs(parameters: params.Params) -> Iterator[Path]:
    """Yield every file (and the folders of media) that the graph makes."""
    values = {
        "dataset": list(parameters.datasets),
        "method": parameters.method_names,
        "seed": list(map(str, parameters.seeds)),
    }
    for stage, cell in layout.CELL.items():
        for key in itertools.product(*(values[name] for name in cell)):
            yield from layout.outputs(stage, *key).values()


def foreign(parameters: params.Params) -> list[str]:
    """Return the outputs in place that Snakemake has no fitting record of.

    What a killed run left unfinished is not among them: Snakemake knows, and makes it anew.
    """
    doubtful = [
        path
        for path in outputs(parameters)
        if path.is_file() and not _recorded(path) and not _note_of("incomplete", path).exists()
    ]
    if doubtful and (made := _notes()):
        locked = _locked()
        doubtful = [
            path
            for path in doubtful
            if made.get(str(path))
            != [_end_time(path), _md5(path) if path in IN_GIT else locked.get(str(path))]
        ]
    return sorted(map(str, doubtful))


def _recorded(path: Path) -> bool:
    end = _end_time(path)
    times = (path.stat().st_mtime, path.lstat().st_mtime)
    return end is not None and any(abs(end - time) < 1e-3 for time in times)


def _end_time(path: Path) -> float | None:
    """Return when Snakemake's job had made a file, or None if there is no record of it."""
    try:
        return float(json.loads(_note_of("metadata", path).read_text())["endtime"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return path.stat().st_mtime


def _note_of(kind: str, path: Path) -> Path:
    """Return where Snakemake keeps its ``metadata`` or its ``incomplete`` mark of a file."""
    name = urlsafe_b64encode(str(path).encode()).decode()
    *head, last = [name[i : i + 254] for i in range(0, len(name), 254)]
    return Path(".snakemake", kind, *("@" + part for part in head), last)


def _notes() -> dict[str, list[object]]:
    try:
        return dict(json.loads(NOTES.read_text()))
    except (OSError, ValueError):
        return {}


def _locked() -> dict[str, str]:
    """Return path -> md5 of every output in dvc.lock; nothing without one."""
    import yaml

    if not Path("dvc.lock").exists():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    lock = yaml.load(Path("dvc.lock").read_text(), loader)
    outs = (out for stage in lock["stages"].values() for out in stage.get("outs", []))
    return {out["path"]: out.get("md5") for out in outs}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def note(paths: Iterable[str | Path]) -> None:
    """Note the files that a job just made."""
    made = _notes()
    for path in map(Path, paths):
        if path.is_file():
            made[str(path)] = [_end_time(path), _md5(path)]
    files.write_json(NOTES, made)


def note_in_git() -> None:
    """Note the outputs that git keeps, as far as they are those of Snakemake's records."""
    note(path for path in IN_GIT if path.is_file() and _recorded(path))


@contextlib.contextmanager
def only_this_grid(parameters: params.Params) -> Iterator[None]:
    """Within the block, the shared folders hold nothing but the files of params.yaml's grid.

    What other grids left there (an overlay, a method no longer named) is moved aside and back, so
    that the checksum DVC keeps of a folder is that of a fresh clone, and nothing is deleted.
    """
    put_back()
    wanted = set(outputs(parameters))
    parents = {parent for path in wanted for parent in path.parents}
    try:
        for top in SHARED:
            _move_aside(top, wanted, parents)
        yield
    finally:
        put_back()


def _move_aside(folder: Path, wanted: set[Path], parents: set[Path]) -> None:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path in wanted:
            continue
        if path in parents:
            _move_aside(path, wanted, parents)
        else:
            target = ASIDE / path
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)


def put_back() -> None:
    """Move everything back from aside; also after a process that was killed in between."""
    if not ASIDE.is_dir():
        return
    for top in (ASIDE / shared for shared in SHARED):
        if top.is_dir():
            _put_back(top)
    shutil.rmtree(ASIDE)


def _put_back(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        target = path.relative_to(ASIDE)
        if target.is_dir():
            _put_back(path)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)


if __name__ == "__main__":
    with ending_in_one_line():
        note(sys.argv[1:])
