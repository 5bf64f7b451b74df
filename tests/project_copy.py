"""A copy of the project to run whole workflows in, with stand-ins for the stages where wanted."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = ROOT / "tests/workflow/stand_in"


@dataclass(frozen=True)
class Project:
    folder: Path

    def environment(self, **changes):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SNAKEMAKE", "DVC"))}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{self.folder / 'src'}{os.pathsep}{STAND_IN}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "MLFLOW_TRACKING_URI": "",
            "DVC_NO_ANALYTICS": "1",
            "TRACE": str(self.folder / "trace"),
            **changes,
        }

    def run(self, *command, ok=True, **environment):
        """Run a command there; return its output, standard error included."""
        (self.folder / "trace").unlink(missing_ok=True)
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (result.returncode == 0) == ok, result.stdout
        return result.stdout

    def start(self, *command, log, **environment):
        """Start a command there as a process group of its own."""
        (self.folder / "trace").unlink(missing_ok=True)
        with log.open("w") as file:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment(**environment),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def snakemake(self, *arguments, **options):
        return self.run("snakemake", "--cores", "2", *arguments, **options)

    def nothing_to_do(self):
        return "Nothing to be done" in self.snakemake("--dry-run")

    def stale(self):
        """Cells that DVC would run, without regard to what follows from them, and but for origin.

        Stage origin always runs: only it can tell whether a user's folder has changed.
        """
        found = json.loads(self.run("dvc", "status", "--json").splitlines()[-1])
        assert found.pop("origin", ["always changed"]) == ["always changed"]
        return found

    def jobs(self):
        """What ran in the last command, sorted."""
        trace = self.folder / "trace"
        return sorted(trace.read_text().split()) if trace.exists() else []

    def git(self, *arguments, **options):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return self.run("git", *identity, *arguments, **options)

    def params(self, change):
        """Rewrite params.yaml by ``change`` (a function of the tree)."""
        path = self.folder / "params.yaml"
        tree = YAML(typ="safe", pure=True).load(path.read_text())
        change(tree)
        with path.open("w") as file:
            YAML().dump(tree, file)


def copy_project(folder, parameters):
    """Copy what belongs to the project, with ``parameters`` merged into params.yaml."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout, to know which files belong to the project")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listing.split("\0")):
        source, target = ROOT / name, folder / name
        if name.startswith(("dvc.lock", "results/", "docs/")) or not os.path.lexists(source):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    project = Project(folder)
    project.params(lambda tree: tree.update(parameters))
    project.git("init", "--quiet")
    return project
