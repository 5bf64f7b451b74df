"""The Python behind workflow/scripts."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise import layout, params

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def scripts(monkeypatch, tmp_path):
    """The modules, working in an empty folder."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "workflow/scripts"), *sys.path])
    monkeypatch.chdir(tmp_path)
    code_files = importlib.import_module("code_files")
    forget(code_files)
    yield code_files, importlib.import_module("provenance")
    forget(code_files)


def forget(code_files):
    """As in a new process."""
    for cached in (code_files._scan, code_files._scans, code_files._path, code_files._sha256):
        cached.cache_clear()


def write(path, text=""):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_preset_that_is_named_counts_as_code_of_extract(scripts):
    code_files, _ = scripts
    table = "src/equipoise/params/presets.toml"
    named = params.load(ROOT / "params.yaml", [ROOT / "configs/ave.yaml"], feasible=False)
    assert table in code_files.code_files(named, "extract")
    assert table not in code_files.code_files(named, "train", "ave", "joint")
    plain = params.load(ROOT / "params.yaml")
    assert table not in code_files.code_files(plain, "extract")


def test_code_files_are_what_the_stage_imports(scripts, monkeypatch, tmp_path):
    code_files, _ = scripts
    monkeypatch.setattr(code_files, "ROOT", tmp_path)
    package = "src/equipoise"
    write(f"{package}/__init__.py")
    write(f"{package}/params.py", "import equipoise.hidden")
    write(f"{package}/hidden.py")
    write(f"{package}/unused.py")
    write(f"{package}/a/__init__.py")
    write(f"{package}/a/near.py", "from . import sibling\nfrom .deep import name")
    write(f"{package}/a/sibling.py", 'PAGE = "page.html"\nOTHER = "no-such.html"')
    write(f"{package}/a/page.html")
    write(f"{package}/a/unnamed.html")
    write(f"{package}/a/deep.py", "def name():\n    import equipoise.late as late")
    write(f"{package}/late.py", "import equipoise.a.near  # a circle")
    write(f"{package}/stages/__init__.py")
    write(
        f"{package}/stages/split.py",
        "import numpy\nfrom equipoise.params import Split\nfrom equipoise.a import near",
    )
    found = code_files.code_files(params.load(ROOT / "params.yaml"), "split")
    names = ["a/__init__.py", "a/deep.py", "a/near.py", "a/page.html", "a/sibling.py", "late.py"]
    assert found == [f"{package}/{name}" for name in [*names, "stages/split.py"]]


@pytest.mark.parametrize("damage", ["", "[1]", '{"a'])
def test_what_a_run_read_is_not_parsed_again(scripts, monkeypatch, tmp_path, damage):
    code_files, _ = scripts
    monkeypatch.setattr(code_files, "ROOT", tmp_path)
    code_files.SCANS.parent.mkdir()
    loaded = params.load(ROOT / "params.yaml")
    for name in ("a", "b"):
        write(f"src/equipoise/{name}.py")
    write("src/equipoise/__init__.py")
    write("src/equipoise/stages/split.py", "import equipoise.a")

    def listed():
        found = code_files.code_files(loaded, "split")
        code_files._keep(*code_files._scans(), tmp_path)  # as at the end of the process
        forget(code_files)
        return [Path(name).stem for name in found]

    if damage:
        code_files.SCANS.write_text(damage)
    assert listed() == ["a", "split"]
    with monkeypatch.context() as patch:
        patch.setattr(code_files, "_parsed", lambda path: pytest.fail(f"parsed {path}"))
        assert listed() == ["a", "split"]
    write("src/equipoise/stages/split.py", "import equipoise.b")
    assert listed() == ["b", "split"]
    kept = code_files.SCANS.stat()
    assert listed() == ["b", "split"]
    assert code_files.SCANS.stat() == kept


def test_a_job_has_the_code_of_its_own_method_and_data_set(scripts, monkeypatch):
    monkeypatch.chdir(ROOT)
    code_files, _ = scripts
    loaded = params.load()

    def files(*cell):
        return {
            name.removeprefix("src/equipoise/") for name in code_files.code_files(loaded, *cell)
        }

    lfm = files("train", "", "lfm-heuristic")
    assert "methods/lfm/method.py" in lfm
    assert not any(name.startswith(("methods/gmm/", "methods/joint/")) for name in lfm)
    assert "models/encoders/conv_frames/network.py" in lfm
    assert "methods/joint/method.py" in files("train", "", "gmm-adaptive"), "its warm-up is joint"
    download = files("download", "keypad")
    assert "data/datasets/keypad.py" in download
    assert "data/datasets/avdigits.py" not in download
    assert "data/sources.toml" not in download, "a new address downloads nothing again"
    assert "evaluation/report.html.j2" in files("compare")
    for stage in ("warmup", "gap", "search", "train"):
        cell = files(stage, "keypad", "gmm-adaptive" if "method" in layout.CELL[stage] else "")
        evaluation = {name for name in cell if name.startswith(("evaluation/", "prediction/"))}
        assert not evaluation, "an edit of the report trains nothing again"


def test_only_this_grid_moves_the_rest_aside_and_back(scripts):
    _, provenance = scripts
    loaded = params.load(ROOT / "params.yaml")
    wanted = [path for path in provenance.outputs(loaded) if path.name == "metrics.json"]
    for path in wanted:
        write(path, "wanted")
    clip = Path("data/raw/keypad/media/deep/clip.mp4")
    others = [
        Path("results/evaluate/keypad/gone/seed0/metrics.json"),
        Path("results/evaluate/keypad/joint/seed99/metrics.json"),
        Path("results/evaluate/avdigits/joint/seed0/metrics.json"),
        Path("data/raw/avdigits/media/clip.mp4"),
        Path("data/raw/keypad/notes.txt"),
    ]
    for path in [clip, *others]:
        write(path, str(path))
    with pytest.raises(RuntimeError), provenance.only_this_grid(loaded):
        assert all(path.exists() for path in [clip, *wanted])
        assert not any(path.exists() for path in others)
        assert not Path("results/evaluate/avdigits").exists()
        raise RuntimeError
    assert all(path.read_text() == str(path) for path in [clip, *others])
    assert not provenance.ASIDE.exists()


def test_a_file_without_a_fitting_record_is_foreign(scripts):
    _, provenance = scripts
    loaded = params.load(ROOT / "params.yaml")
    path = Path("data/splits/keypad/split.csv")
    write(path)
    assert provenance.foreign(loaded) == [str(path)]
    name = provenance.urlsafe_b64encode(str(path).encode()).decode()
    unfinished = Path(".snakemake/incomplete", name)
    write(unfinished, "{}")
    assert provenance.foreign(loaded) == [], "a killed job's: Snakemake makes it anew"
    unfinished.unlink()
    record = Path(".snakemake/metadata", name)
    write(record, f'{{"endtime": {path.stat().st_mtime}}}')
    assert provenance.foreign(loaded) == []
    write(record, '{"endtime": 12.5}')
    assert provenance.foreign(loaded) == [str(path)]
    write(record, "a format of the future")
    assert provenance.foreign(loaded) == []


def test_a_table_that_git_wrote_anew_fits_as_long_as_it_is_the_same(scripts):
    _, provenance = scripts
    loaded = params.load(ROOT / "params.yaml")
    path = Path("results/comparison.csv")
    write(path, "made")
    name = provenance.urlsafe_b64encode(str(path).encode()).decode()
    write(Path(".snakemake/metadata", name), f'{{"endtime": {path.stat().st_mtime}}}')
    provenance.note_in_git()
    os.utime(path, (9, 9))
    assert provenance.foreign(loaded) == []
    write(path, "of another commit")
    provenance.note_in_git()
    assert provenance.foreign(loaded) == [str(path)], "only what Snakemake made is noted"


def test_a_copy_made_by_dvc_exp_uses_the_environment_and_the_store_of_the_project(tmp_path):
    home = tmp_path / "the project"
    copy = home / ".dvc/tmp/exps/tmp_1/workflow/scripts"
    copy.mkdir(parents=True)
    shutil.copy(ROOT / "workflow/scripts/environment.sh", copy)
    write(home / ".venv/bin/snakemake")
    (home / ".venv/bin/snakemake").chmod(0o755)
    write(home / "mlflow.db")

    def told(**more):
        shell = 'source "$0/environment.sh"; pwd; command -v snakemake; echo "$MLFLOW_TRACKING_URI"'
        return subprocess.run(
            ["bash", "-uc", shell, str(copy)],
            env={"PATH": "/usr/bin:/bin", **more},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.splitlines()

    place = str(copy.parents[1])
    assert told() == [place, f"{home}/.venv/bin/snakemake", f"sqlite:///{home}/mlflow.db"]
    assert told(MLFLOW_TRACKING_URI="")[2] == "", "switched off stays off"


@pytest.mark.parametrize("script", ["origin.py", "code_files.py"])
def test_what_is_wrong_with_the_parameters_is_one_line_in_dvc_too(script, tmp_path):
    """Stages of dvc.yaml that are no verbs of equipoise."""
    folder = tmp_path / "workflow/scripts"
    folder.mkdir(parents=True)
    for name in ("origin.py", "code_files.py"):
        shutil.copy(ROOT / "workflow/scripts" / name, folder)
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("epochs:", "epoch:"))
    done = subprocess.run(
        [sys.executable, folder / script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith("error: params.yaml: ")
    assert "did you mean 'epochs'?" in line
