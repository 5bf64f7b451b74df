"""One Slurm cluster for all tests of a session, and a copy of the project to run on it."""

import json
from dataclasses import dataclass
from pathlib import Path

import minislurm
import pytest
from project_copy import STAND_IN, Project, copy_project

#: With a ``snakemake`` that asks Slurm every second.
PROGRAMS = Path(__file__).with_name("bin")
#: The stages as they are; they note where they run.
WITNESS = Path(__file__).with_name("witness")


@dataclass(frozen=True)
class ClusterProject(Project):
    """A project whose commands reach the cluster."""

    cluster: minislurm.Cluster
    beside: Path
    """A folder that stands on PYTHONPATH beside the code: WITNESS or STAND_IN."""

    def environment(self, **changes):
        cluster = {
            **self.cluster.environment,
            "PATH": f"{PROGRAMS}:{self.cluster.folder / 'bin'}:{super().environment()['PATH']}",
            "PYTHONPATH": f"{self.folder / 'src'}:{self.beside}",
            "WITNESS": str(self.folder / "witness.jsonl"),
        }
        return super().environment(**{**cluster, **changes})

    def slurm_jobs(self):
        """Return Slurm's records of the jobs of this project: comment of the plugin -> records."""
        found = {}
        for job in self.cluster.jobs().values():
            if job["WorkDir"] == str(self.folder):
                found.setdefault(job["Comment"], []).append(job)
        return found

    def seen(self):
        """Return what each real stage saw where it ran."""
        return [json.loads(line) for line in (self.folder / "witness.jsonl").open()]

    def command(self, *arguments):
        """Return ``snakemake --profile slurm`` as a command for ``run`` or ``start``."""
        waits = ("--latency-wait", "10", "--slurm-init-seconds-before-status-checks", "2")
        return ("snakemake", "--profile", "slurm", *waits, *arguments)

    def snakemake(self, *arguments, **options):
        return self.run(*self.command(*arguments), **options)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A running cluster; what one test breaks in it, it must mend."""
    if reason := minislurm.missing():
        pytest.skip(f"no Slurm: {reason}")
    cluster = minislurm.Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    try:
        try:
            cluster.start()
        except AssertionError as error:  # a machine that forbids what the daemons need
            pytest.skip(f"no Slurm: it is installed, but does not start: {error}")
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def on_cluster(cluster, tmp_path):
    """Return a function that makes a fresh copy of the project, with stand-ins for the stages."""

    def make(parameters, stand_ins=True):
        project = copy_project(tmp_path / "project", parameters)
        return ClusterProject(project.folder, cluster, STAND_IN if stand_ins else WITNESS)

    return make
