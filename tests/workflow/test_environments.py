"""Conda environments and container recipes: neither conda nor apptainer runs here.

What can be checked without them: the files agree with pyproject.toml and with each other, and
Snakemake runs every job in the environment it is told of (conda and apptainer are stand-ins).
"""

import re
import stat
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.xdist_group("workflow")

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = ROOT / "tests/workflow/stand_in"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What a package of PyPI is called in conda's channels, where that differs.
CONDA = {
    "huggingface-hub": "huggingface_hub",
    "opencv-contrib-python-headless": "py-opencv",
    "ruamel-yaml": "ruamel.yaml",
}
PROGRAMS = {"git", "graphviz", "make"}


def requirements(lines):
    """Name -> versions, from requirements as pip or conda write them."""
    parts = (re.fullmatch(r"([\w.-]+?)\s*([<>=!].*)?", line) for line in lines)
    return {part[1]: (part[2] or "").replace(" ", "") for part in parts}


def environment(kind):
    return YAML(typ="safe", pure=True).load((ROOT / f"envs/{kind}.yaml").read_text())


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_a_conda_environment_is_pyproject(kind):
    found = environment(kind)
    names = CONDA | {"torch": f"pytorch-{kind}"}
    wanted = {names.get(k, k): v for k, v in requirements(PROJECT["dependencies"]).items()}
    listed = requirements(found["dependencies"])
    python = listed.pop("python")
    # Elsewhere, the wheel of imageio-ffmpeg brings the program.
    assert listed == wanted | dict.fromkeys({*PROGRAMS, "ffmpeg"}, "")
    assert python.startswith(PROJECT["requires-python"])
    assert found["channels"] == ["conda-forge", "bioconda", "nodefaults"]


def recipe(name):
    """Copied files and installed Debian packages of a recipe."""
    text = (ROOT / "envs" / name).read_text()
    base = re.search(r"^(?:FROM|From:) (\S+)$", text, re.M)[1]
    copied = re.findall(r"^(?:COPY|   ) (\S.*) (/opt/equipoise/?\S*)$", text, re.M)
    packages = re.search(r"--no-install-recommends (.*?)(?: \\)?$", text, re.M)[1]
    return base, copied, packages.split()


def test_both_container_recipes_are_one():
    assert recipe("equipoise.def") == recipe("Dockerfile")
    _, copied, packages = recipe("equipoise.def")
    assert set(packages) > PROGRAMS
    sources = {source: target for group, target in copied for source in group.split()}
    for source, target in sources.items():
        assert (ROOT / source).exists(), source
        inside = target + Path(source).name if target.endswith("/") else target
        assert inside == f"/opt/equipoise/{source}"
    setup = (ROOT / "workflow/scripts/setup").read_text()
    needed = {*re.findall(r"envs/[\w.]+", setup), "pyproject.toml"}
    assert needed | {PROJECT["readme"], *PROJECT["license-files"]} <= set(sources)
    assert {"src", "workflow/scripts/setup"} <= set(sources)


def test_no_rule_is_without_its_environment():
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    for rule in re.split(r"^(?=rule )", rules, flags=re.M)[1:]:
        assert "\n    conda:\n        ENVIRONMENT\n" in rule, rule


PYTHON = """#!/bin/sh
echo "$PYTHONPATH" >> {trace}
export PYTHONPATH="$PYTHONPATH:{stand_in}"
exec "{python}" "$@"
"""
TOOLS = {
    "conda": """#!/bin/sh
echo "$*" >> {folder}/conda.txt
case "$*" in
    --version) echo "conda 25.1.0" ;;
    "info --json") echo '{{"conda_prefix": "{folder}/base", "platform": "linux-64"}}' ;;
    "config --get channel_priority --json")
        echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
    *create*) for word in "$@"; do
            if [ "$before" = --prefix ]; then mkdir -p "$word/bin"
                cp {folder}/python "$word/bin/python"; fi
            before=$word; done ;;
esac
""",
    "apptainer": """#!/bin/sh
case "$1" in --version) echo "apptainer version 1.3.4"; exit ;; esac
while [ "$1" != bash ]; do last=$1; shift; done
echo "$last" >> {folder}/apptainer.txt
mkdir -p {folder}/image && cp {folder}/python {folder}/image/python
PATH={folder}/image:/usr/bin:/bin exec "$@"
""",
}


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def tools(tmp_path):
    folder = tmp_path / "tools"
    trace = folder / "python.txt"
    text = PYTHON.format(trace=trace, stand_in=STAND_IN, python=sys.executable)
    write_program(folder / "python", text)
    for name, script in TOOLS.items():
        write_program(folder / "bin" / name, script.format(folder=folder))
    activate = 'export PATH="$1/bin:/usr/bin:/bin"\n'
    write_program(folder / "base/bin/activate", activate)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("sdm", "device"), [("conda", "cuda"), ("apptainer", "auto")])
def test_a_job_runs_where_it_is_told_to(own, tools, tmp_path, sdm, device):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"runtime: {{device: {device}}}\n")
    path = f"{tools}/bin:{own.environment()['PATH']}"
    options = ("data/raw/keypad/manifest.csv", "--configfile", str(overlay))
    own.snakemake(*options, "--sdm", sdm, PATH=path)
    # The environment's Python ran the job, and the code was that of the folder.
    (used,) = (tools / "python.txt").read_text().splitlines()
    assert used.split(":")[0] == str(own.folder / "src")
    assert own.jobs() == ["download:keypad"]
    if sdm == "conda":
        (made,) = (own.folder / ".snakemake/conda").glob("*.yaml")
        assert "name: equipoise-gpu" in made.read_text()
    else:
        assert (tools / "apptainer.txt").read_text() == "envs/equipoise.sif\n"
    assert "Nothing to be done" in own.snakemake(*options, "-n", "--sdm", sdm, PATH=path)
    # Without it the same job is one of another environment, and says so.
    assert "oftware environment" in own.snakemake(*options, "-n")


def test_conda_says_which_environment_auto_means(fresh, tools):
    path = f"{tools}/bin:{fresh.environment()['PATH']}"
    said = fresh.snakemake("--dry-run", "--sdm", "conda", "--until", "split", PATH=path)
    assert "runtime.device is auto: jobs get envs/cpu.yaml" in said
    assert "envs/cpu.yaml will be created" in said


def test_a_cluster_run_takes_the_environments_of_its_copy_of_the_code(own, tools):
    path = f"{tools}/bin:{own.environment()['PATH']}"
    options = ("--profile", "slurm", "--dry-run", "--until", "split")
    said = own.run("snakemake", *options, "--sdm", "conda", PATH=path)
    (copy,) = (own.folder / "state/code").iterdir()
    assert f"{copy.relative_to(own.folder)}/envs/cpu.yaml will be created" in said
    said = own.run("snakemake", *options, "--sdm", "apptainer", PATH=path)
    assert "keypad: assign the clips" in said
