"""Which source files decide what a job computes: the imports of its stage, read from the code.

Snakemake gets a digest of these files among the params of a job, so that a changed file reruns the
jobs that use it and no others. (Of an input it notes what the file is when the job has ended, which
need not be the code that ran.) DVC cannot follow imports: its stage ``code`` runs this file, which
writes the lists with checksums to data/code, and each other stage of dvc.yaml depends on its list.

Parts that a stage finds by name (data set, method, encoders) are added from params.yaml, so that a
new method or data set reruns nothing that was there before.
"""

import ast
import atexit
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

#: What this file belongs to: the project folder, or the copy that the jobs of a cluster run read.
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from equipoise import files, layout, params, registry  # noqa: E402
from equipoise.errors import UserError, ending_in_one_line  # noqa: E402
from equipoise.params import presets  # noqa: E402

LISTS = Path("data/code")

#: What was read from the source files, by what decides it: to parse them all takes a second.
SCANS = Path(".snakemake/code_scans.json")

#: Modules that carry settings, names and messages to a stage, or refuse them, but decide none of
#: its numbers: what they pass on is compared as settings, as paths, or not at all.
PLUMBING = frozenset(
    "equipoise" + name
    for name in (
        "",
        ".cli",
        ".console",
        ".errors",
        ".layout",
        ".params",
        ".places",
        ".provenance",
        ".registry",
        ".section",
        ".stages",
        ".stages.job",
    )
)
#: Stages that build a model.
MODELS = ("embed", "warmup", "gap", "search", "train", "evaluate")
#: MLflow only shows what a stage writes.
VIEW = "equipoise.tracking."
#: The method that stage warmup trains, whatever the grid.
WARMUP = "joint"
#: Data files that are no part of a result: where downloads come from (they are checksummed), what
#: a method was measured to cost.
ASIDE = frozenset({"sources.toml", "costs.toml"})


def code_files(
    parameters: params.Params, stage: str, dataset: str = "", method: str = ""
) -> list[str]:
    """Return the source files behind one job, relative to the project folder, sorted."""
    modules = [f"equipoise.stages.{stage}"]
    if stage == "download":
        own_data = "folder" in parameters.datasets[dataset].download
        modules.append(f"equipoise.data.{'folder' if own_data else f'datasets.{dataset}'}")
    if stage in ("extract", "audit", *MODELS):
        modules += _rooms(parameters, with_torch=stage in MODELS)
    keys = [method] if stage in ("search", "train", "evaluate") else []
    continued = stage in ("search", "train") and method in parameters.methods.from_warmup
    if stage in ("warmup", "gap") or continued:
        keys.append(WARMUP)
    if stage in ("search", "train") and method in parameters.methods.with_teacher:
        keys.append(parameters.methods.teacher)
    for name, _, _ in map(registry.method_of, keys):
        plugin, _, _ = registry.methods()[name].plugin.partition(":")
        modules += [f"equipoise.methods.{name}", plugin]
    found = _closure(modules)
    if stage == "extract" and _named(parameters):
        found.add(presets.TABLE)
    return sorted(str(path.relative_to(ROOT)) for path in found)


def _named(parameters: params.Params) -> bool:
    """Say whether a modality names a preset: DVC compares its name, not what it stands for."""
    tables = (t for entry in parameters.datasets.values() for t in entry.modalities.values())
    return any(presets.KEY in table for table in tables)


def _rooms(parameters: params.Params, with_torch: bool) -> Iterator[str]:
    """Yield the plug-ins of all kinds, and with torch of all encoders, that params.yaml names."""
    for dataset in parameters.datasets:
        for stream in parameters.streams_of(dataset).values():
            kind = registry.kinds()[stream.kind]
            plugins = [kind.reader, *([kind.feed] if with_torch else [])]
            yield from (plugin.partition(":")[0] for plugin in plugins)
        if with_torch:
            for encoder in parameters.encoders_of(dataset).values():
                yield registry.encoders()[encoder.name].plugin.partition(":")[0]


def code_digest(parameters: params.Params, stage: str, dataset: str = "", method: str = "") -> str:
    """Return the sha256 of the list of one job's source files, as :func:`write_lists` writes it."""
    return hashlib.sha256(_list(parameters, stage, dataset, method).encode()).hexdigest()


def _list(parameters: params.Params, stage: str, dataset: str, method: str) -> str:
    names = code_files(parameters, stage, dataset, method)
    return "".join(f"{_sha256(ROOT / name)}  {name}\n" for name in names)


#: Read once in a run: the code that counts is the one at its start.
_sha256 = cache(files.sha256)


def _closure(modules: Iterable[str]) -> set[Path]:
    """Return the files of ``modules`` and of everything they import within the package."""
    found: set[Path] = set()
    done: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in done or module in PLUMBING or f"{module}.".startswith(VIEW):
            continue
        done.add(module)
        path = _path(ROOT, module)
        if path is None:
            continue  # a function or class imported from a module, or not ours
        found.add(path)
        imported, data = _scan(path, module)
        found.update(data)
        waiting += [*imported, module.rpartition(".")[0]]
    return found


@cache
def _path(root: Path, module: str) -> Path | None:
    if not module.startswith("equipoise"):
        return None
    base = root.joinpath("src", *module.split("."))
    paths = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in paths if path.is_file()), None)


@cache
def _scan(path: Path, module: str) -> tuple[list[str], list[Path]]:
    """Return the modules that a file imports, and the data files that it names."""
    beside = frozenset(entry.name for entry in os.scandir(path.parent))
    state = json.dumps([module, path.name, _sha256(path), sorted(beside), _sha256(Path(__file__))])
    key = hashlib.sha256(state.encode()).hexdigest()
    before, now = _scans()
    if key not in now:
        now[key] = before.get(key) or _read(path, module, beside)
    imported, named = now[key]
    return imported, [file for name in named for file in _data_files(path.parent, name)]


@cache
def _scans() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the last run read, and what this one uses, which is kept when it ends."""
    before: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        before = dict(json.loads(SCANS.read_text(encoding="utf-8")))
    now: dict[str, Any] = {}
    atexit.register(_keep, before, now, Path.cwd())
    return before, now


def _keep(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    # Where Snakemake has not run, or nobody may write, the next run parses again.
    if now.keys() - before.keys() and (folder / SCANS).parent.is_dir():
        with contextlib.suppress(OSError):
            files.write_json(folder / SCANS, now)


def _read(path: Path, module: str, beside: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the modules that a file imports, and its strings that name something beside it."""
    imported: list[str] = []
    named: list[str] = []
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, [base, node.module]))
            imported += [source, *(f"{source}.{alias.name}" for alias in node.names)]
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.partition("/")[0] in beside
        ):
            named.append(node.value)
    return imported, named


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), path)
    except SyntaxError as error:
        name = path.relative_to(ROOT)
        raise UserError(f"{name}:{error.lineno}: not Python ({error.msg}); mend it") from None


def _data_files(folder: Path, name: str) -> Iterator[Path]:
    """Yield the file, or the files below the folder, that a string in the code names."""
    if not name or len(name) > 80 or name in ASIDE or name.startswith((".", "/")):
        return
    path = folder / name
    if path.is_file() and path.suffix != ".py":
        yield path
    elif path.is_dir() and not (path / "__init__.py").exists() and name != "__pycache__":
        yield from (p for p in sorted(path.rglob("*")) if p.is_file())


def list_path(stage: str, dataset: str = "", method: str = "") -> Path:
    """Return where DVC finds the list of one job's source files."""
    part = {"download": dataset, "search": method, "train": method, "evaluate": method}.get(stage)
    return LISTS / stage / f"{part}.sha256" if part else LISTS / f"{stage}.sha256"


def write_lists(parameters: params.Params) -> None:
    """Write every list afresh, in the format of sha256sum, and the grid that compare reads."""
    with files.atomic_directory(LISTS) as folder:
        grid = {
            "datasets": list(parameters.datasets),
            "methods": parameters.method_names,
            "seeds": parameters.seeds,
        }
        files.write_json(folder / "grid.json", grid)
        for stage in layout.STAGES:
            for dataset in parameters.datasets:
                for method in parameters.method_names:
                    path = folder / list_path(stage, dataset, method).relative_to(LISTS)
                    if path.exists():
                        continue
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(_list(parameters, stage, dataset, method), encoding="utf-8")


if __name__ == "__main__":
    os.chdir(ROOT)
    with ending_in_one_line():
        write_lists(params.load())
