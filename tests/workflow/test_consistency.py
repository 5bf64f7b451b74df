"""dvc.yaml, the Snakefile and params.py must tell the same story."""

import copy
import itertools
import json
import re
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from equipoise import files, layout, params
from equipoise.errors import UserError

pytestmark = pytest.mark.xdist_group("workflow")

CELLS = """
import json
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

def cell(stage):
    settings = [d for d in stage.deps if isinstance(d, ParamsDependency)]
    return {
        "command": stage.cmd.split(),
        "deps": [d.def_path for d in stage.deps if d not in settings],
        "outs": [o.def_path for o in stage.outs],
        "params": [name for d in settings for name in d.params],
    }

print(json.dumps({s.name: cell(s) for s in Repo().index.stages}))
"""


def cells(project):
    """DVC's cells by name, without those that are no job."""
    found = json.loads(project.run(sys.executable, "-c", CELLS).splitlines()[-1])
    assert found.pop("code")["outs"] == ["data/code"]
    assert found.pop("origin")["outs"] == ["data/origin"]
    return found


def snakemake_jobs(project):
    """Snakemake's jobs from a dry run: output -> rule, inputs, outputs. Changes the project."""
    for path in (project.folder / "workflow/rules").iterdir():  # a message stands for the files
        path.write_text(re.sub(r"    message:\n.*\n", "", path.read_text()))
    text = project.snakemake("--dry-run", "--forceall")
    found = {}
    for block in re.split(r"\n\s*\n|\n(?=\[)", text):
        rule = re.search(r"^(?:local)?rule (\w+):", block, re.M)
        field = {k: set(v.split(", ")) for k, v in re.findall(r"^    (\w+): (.+)$", block, re.M)}
        if rule and "output" in field:
            found |= {
                name: (rule[1], field.get("input", set()), field["output"])
                for name in field["output"]
            }
    return found


def test_every_cell_is_one_job(own):
    own.run(sys.executable, "workflow/scripts/code_files.py")
    jobs, dvc = snakemake_jobs(own), cells(own)
    assert sorted(out for cell in dvc.values() for out in cell["outs"]) == sorted(jobs)
    for name, cell in dvc.items():
        script, rule, *targets = cell["command"]
        job_rule, inputs, outputs = jobs[targets[0]]
        assert script == "workflow/scripts/cell"
        assert (rule, set(targets), set(cell["outs"])) == (job_rule, outputs, outputs), name
        assert re.sub("_(from_warmup|with_teacher)$", "", name.split("@")[0]) == rule
        lists = {d for d in cell["deps"] if d.endswith(".sha256") and d.startswith("data/code/")}
        (listed,) = lists
        assert f"src/equipoise/stages/{rule}.py" in (own.folder / listed).read_text()
        origins = {d for d in cell["deps"] if d.startswith("data/origin/")}
        assert bool(origins) == (rule == "download")
        deps = set(cell["deps"]) - lists - origins - {"data/code/grid.json"}
        folders = tuple(f"{dep}/" for dep in deps if not Path(dep).suffix)
        others = {path for path in inputs if not path.startswith(folders or ("\0",))}
        assert others == {dep for dep in deps if Path(dep).suffix}, name
        assert all(any(path.startswith(folder) for path in inputs) for folder in folders)


def leaves(tree, path=()):
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


#: A change for every table that may be empty.
FILL = {
    "extract": {"shard_rows": 7},
    "split": {"seed": 7},
    "model": {"features": 32},
    "train": {"learning_rate": 0.5},
    "joint": {"heads": "trained"},
    "gmm-adaptive": {"beta": 0.25},
    "umt": {"weight": 1.0},
    "audio": {"mask_time": 0.25},
    "options": {"joint": [{"heads": "trained"}]},
}
WORDS = [
    *("official", "random", "conv_frames", "conv_spectrogram", "sum", "probe", "split", "sgd"),
    *(
        "conv_speech",
        "resnet18",
        "constant",
        "bf16",
        "last",
        "bayes",
        "gmm-adaptive",
        "cpu",
        "elsewhere",
    ),
]


def others(key, value):
    """Other values for a leaf, likely valid ones first."""
    if value is None:
        return [7]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return [word for word in WORDS if word != value]
    if isinstance(value, dict):
        return [FILL[key]]
    if isinstance(value, list):
        return [[*value, {"learning_rate": 0.5}]]
    return [value + 1, value / 2 or 0.5, value - 1]


def change(tree, path, value):
    for other in others(path[-1], value):
        changed = copy.deepcopy(tree)
        at = changed
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = other
        try:
            return params.parse(params.Params, changed, "test")
        except UserError:
            continue
    raise AssertionError(f"no other valid value for {'.'.join(path)}")


def all_settings(parameters):
    """First output of every job of the grid -> its settings, as the rules hand them over."""
    found = {}
    for stage, cell in layout.CELL.items():
        values = {"dataset": parameters.datasets, "method": parameters.method_names}
        values["seed"] = list(map(str, parameters.seeds))
        for key in itertools.product(*(values[name] for name in cell)):
            wildcards = dict(zip(cell, key, strict=True))
            first = next(iter(layout.outputs(stage, *key).values()))
            dataset, method = wildcards.get("dataset", ""), wildcards.get("method", "")
            settings = params.job_settings(parameters, stage, dataset, method)
            found[str(first)] = settings.model_dump_json()
    return found


def code_digests(project):
    """First output of every cell -> digest of the list of source files that DVC goes by."""
    found = {}
    for cell in cells(project).values():
        (listed,) = (dep for dep in cell["deps"] if re.match(r"data/code/.*\.sha256", dep))
        found[cell["outs"][0]] = files.sha256(project.folder / listed)
    return found


def test_snakemake_compares_the_settings_and_the_code_of_the_job_and_nothing_else(built):
    parameters = params.load(built.folder / "params.yaml")
    code = code_digests(built)
    own = (built.folder / "data/origin/mine.sha256").read_text().strip()
    assert len(own) == 16
    for output, settings in all_settings(parameters).items():
        name = urlsafe_b64encode(output.encode()).decode()
        record = json.loads((built.folder / ".snakemake/metadata" / name).read_text())
        others = [repr(own)] if output == "data/raw/mine/manifest.csv" else []
        others += [repr("")] if output == "data/raw/keypad/manifest.csv" else []
        assert sorted(record["params"]) == sorted([repr(settings), repr(code[output]), *others])


def test_every_parameter_makes_both_tools_rerun_the_same_jobs(fresh):
    tree = params.read_yaml(fresh.folder / "params.yaml")
    tree = json.loads(json.dumps(tree))  # no part of it in two places
    before = all_settings(params.parse(params.Params, tree, "test"))
    dvc = cells(fresh)
    seen = set()
    for path, value in leaves(tree):
        if path == ("seeds",) or path[-1] == "kind":
            continue  # the grid itself; another kind has other settings
        after = all_settings(change(tree, path, value))
        snakemake = {output for output in before if before[output] != after[output]}
        key = ".".join(path)
        stale = {
            cell["outs"][0]
            for cell in dvc.values()
            if any(f"{key}.".startswith(f"{name}.") for name in cell["params"])
        }
        if path == ("search", "options"):  # DVC knows no table that may lack a method
            assert snakemake < stale
        else:
            assert snakemake == stale, key
        assert bool(stale) == (path[0] != "runtime"), key
        seen |= stale
    assert seen == {output for output in before if before[output] != "{}"}


def test_params_yaml_leaves_no_default_to_the_code():
    """DVC compares params.yaml: a default that stands in the code alone would change unseen."""
    root = Path(__file__).resolve().parents[2]
    tree = params.read_yaml(root / "params.yaml")
    full = params.load(root / "params.yaml").model_dump()
    for section in full.keys() - {"datasets", "methods"}:
        assert tree[section] == full[section], section
    for name, entry in full["datasets"].items():
        assert tree["datasets"][name].keys() == entry.keys(), name


def test_schema_in_the_repository_is_the_one_of_the_code():
    root = Path(__file__).resolve().parents[2]
    text = (root / "workflow/schemas/params.schema.json").read_text()
    assert json.loads(text) == params.schema(), (
        "run: equipoise params schema > workflow/schemas/params.schema.json"
    )
