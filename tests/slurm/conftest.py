"""One Slurm cluster for all tests of a session, and a copy of the project to run on it."""

import sys
from dataclasses import dataclass
from pathlib import Path

import minislurm
import pytest
from project_copy import Project, copy_project

FAST = str(Path(__file__).with_name("snakemake_fast.py"))


@dataclass(frozen=True)
class ClusterProject(Project):
    """A project whose commands reach the cluster."""

    cluster: minislurm.Cluster

    def environment(self, **changes):
        path = f"{self.cluster.folder / 'bin'}:{super().environment()['PATH']}"
        return super().environment(**{**self.cluster.environment, "PATH": path, **changes})

    def command(self, *arguments):
        """Return ``snakemake --profile slurm`` as a command for ``run`` or ``start``."""
        fast = ("--max-status-checks-per-second", "5", "--latency-wait", "10")
        return (sys.executable, FAST, "--profile", "slurm", *fast, *arguments)

    def snakemake(self, *arguments, **options):
        return self.run(*self.command(*arguments), **options)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A running cluster; what one test breaks in it, it must mend."""
    if reason := minislurm.missing():
        pytest.skip(f"no Slurm: {reason}")
    cluster = minislurm.Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def on_cluster(cluster, tmp_path):
    """Return a function that makes a fresh copy of the project with ``parameters``."""

    def make(parameters):
        project = copy_project(tmp_path / "project", parameters)
        return ClusterProject(project.folder, cluster)

    return make
