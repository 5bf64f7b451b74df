"""A copy of the project whose stages are stand-ins (``stand_in/``): the graph is the real one."""

import shutil

import pytest
from project_copy import Project, copy_project

PLAIN = {
    "modalities": {
        "video": {"kind": "frames", "column": "video", "pick": {"even": 4}, "size": 32},
        "audio": {"kind": "sound", "column": "audio", "rate": 8000, "seconds": 0.8},
    },
    "encoders": {"video": "conv_frames", "audio": "conv_spectrogram"},
    "augment": {"video": {"shift": 2}, "audio": {}},
    **{"extract": {}, "split": {}, "model": {}, "train": {}},
}
#: Two data sets (one of them a user's folder), each kind of method, one seed: 29 jobs.
GRID = {
    "datasets": {
        "keypad": {"download": {"seed": 3}, **PLAIN},
        "mine": {"download": {"folder": "own"}, **PLAIN},
    },
    "methods": {
        "from_scratch": {"joint": {}},
        "from_warmup": {"gmm-adaptive": {}},
        "with_teacher": {"umt": {}},
        "teacher": "joint",
    },
    "seeds": [0],
    "search": {"trials": 1, "seed": 0, "train": [{"learning_rate": 0.01}], "options": {}},
    "runtime": {"fork_server": False},  # it imports PyTorch, which stand-ins do without
}


def _project(folder):
    """A copy with the user's folder: twelve clips, which no stand-in reads."""
    project = copy_project(folder, GRID)
    clips = project.folder / "own"
    clips.mkdir()
    rows = ["sample_id,label,split,group,audio\n"]
    for number in range(12):
        (clips / f"{number}.wav").write_bytes(b"sound %d" % number)
        rows.append(f"s{number},c{number % 2},,,{number}.wav\n")
    (clips / "manifest.csv").write_text("".join(rows))
    return project


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """The project before its first run."""
    return _project(tmp_path_factory.mktemp("with space") / "fresh")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The project after a run that was recorded, committed and pushed. Leave it as it is."""
    folder = tmp_path_factory.mktemp("built")
    project = _project(folder / "project")
    project.snakemake("--quiet", "all")
    project.run("workflow/scripts/record")
    project.run("dvc", "remote", "add", "--default", "store", str(folder / "remote"))
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "built")
    project.run("dvc", "push", "--quiet")
    return project


@pytest.fixture
def own(tmp_path):
    """The project before its first run, to work in."""
    return _project(tmp_path / "own")


@pytest.fixture
def copy(built, tmp_path):
    """A copy of ``built`` to change: same files, same times, same records."""
    shutil.copytree(built.folder, tmp_path / "copy", symlinks=True)
    return Project(tmp_path / "copy")


@pytest.fixture
def pulled(built, tmp_path):
    """A clone of ``built`` after ``dvc pull``."""
    built.git("clone", "--quiet", str(built.folder), str(tmp_path / "pulled"))
    project = Project(tmp_path / "pulled")
    project.run("dvc", "pull", "--quiet")
    return project
