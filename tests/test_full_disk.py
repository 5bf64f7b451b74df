"""Every verb on a full disk: one line that names the file, and nothing half written."""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_run
from small_run import WRITING

from equipoise import cli, layout

ROOT = Path(__file__).parents[1]
SAYING = [
    ["check", "own"],
    ["audit", "own"],
    ["audit", "mine", "--json"],
    ["show"],
    ["verify"],
    ["params", "check"],
    ["params", "schema"],
    ["methods"],
    ["encoders"],
    ["modalities"],
    ["datasets"],
    ["predict", "--model", "models/train/mine/joint/seed0", "own/manifest.csv"],
]


@contextlib.contextmanager
def full_disk(limit):
    """No file may grow beyond ``limit`` bytes; Python meets that as it meets a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    small_run.make(folder)
    return folder


def contents(folder):
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and "state" not in path.relative_to(folder).parts
    }


def one_line(verb, err):
    """The one line of an error; log lines begin with a time."""
    lines = [line for line in err.splitlines() if line[2:3] != ":"]
    assert len(lines) == 1, err
    assert lines[0].startswith(f"equipoise {verb}: error: "), err
    assert "Traceback" not in err
    return lines[0].removeprefix(f"equipoise {verb}: error: ")


def test_every_verb_that_writes(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    for command in WRITING:
        before = contents(project)
        with full_disk(64):
            status = cli.main(command)
        line = one_line(command[0], capsys.readouterr().err)
        assert status == 2, command
        path, _, rest = line.partition(": ")
        assert (path in line and "/" in path) or path in ("answers.csv", "params.yaml"), line
        assert "File too large" in rest or "disk is full" in rest or "cannot be written" in rest
        assert contents(project) == before, command
        assert cli.main(command) == 0, capsys.readouterr().err
        capsys.readouterr()
    monkeypatch.setattr(sys, "stdout", Path("/dev/full").open("w"))  # noqa: SIM115
    for command in SAYING:
        assert cli.main(command) == 2, command
        assert one_line(command[0], capsys.readouterr().err) == (
            "standard output: No space left on device; make room on that disk, then run the "
            "same command again"
        ), command
    assert layout.compare()["table"].exists()


def test_tracking(project, tmp_path, monkeypatch, capsys):
    """MLflow and PostgreSQL write these files, and say it in their own words."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with full_disk(64):
        assert cli.main(["track", "init"]) == 2
    line = one_line("track", capsys.readouterr().err)
    assert line.startswith(f"{tmp_path}/mlflow.db: the MLflow store cannot be made ("), line
    assert not list(tmp_path.glob("*.db"))
    monkeypatch.setenv("SLURM_JOB_ID", "1")  # there, runs are kept for later
    monkeypatch.chdir(project)
    for command in WRITING[:4]:  # up to the first that keeps a run
        assert cli.main(command) == 0, command
    capsys.readouterr()
    monkeypatch.delenv("SLURM_JOB_ID")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    for task in (["import"], ["serve", "--folder", str(tmp_path / "served"), "--port", "5996"]):
        with full_disk(64):
            assert cli.main(["track", *task]) == 2, task
        assert one_line("track", capsys.readouterr().err)


@pytest.mark.parametrize("program", ["code_files", "origin", "provenance"])
def test_programs_of_the_workflow(tmp_path, program):
    """The others call these, and Snakemake and DVC."""
    folder = tmp_path / "workflow/scripts"
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / ".snakemake").mkdir()
    with full_disk(0):
        ended = subprocess.run(
            [sys.executable, folder / f"{program}.py", "params.yaml"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}/src:{folder}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ") and "File too large; raise the limit" in line


def test_no_verb_was_forgotten():
    verbs = cli._parser()._subparsers._group_actions[0].choices
    walked = {command[0] for command in [*WRITING, *SAYING]}
    assert set(verbs) - walked == {"track"}  # which has a test of its own
