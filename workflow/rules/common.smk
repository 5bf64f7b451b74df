import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

# The code that is compared is the code that runs, also in a copy of the folder (`dvc exp`, cluster).
sys.path[:0] = [f"{workflow.basedir}/src", f"{workflow.basedir}/workflow/scripts"]
import arrays, outages, retries
from code_files import code_digest
from equipoise import forkserver, layout, params as parameters, provenance as code_state
from equipoise.data import origin
from equipoise.errors import UserError
from snakemake.settings.types import DeploymentMethod


def read_params():
    """params.yaml with the overlays of `--configfile`, checked before there is a graph.

    A frozen copy of the code has its own, with the overlays in it; its jobs must not read them.
    """
    frozen = Path(workflow.basedir, code_state.FROZEN).exists()
    if frozen:
        workflow.overwrite_configfiles.clear()
    if workflow.config_settings.config:
        sys.exit(
            "error: --config is invisible to DVC and to the checks of params.yaml; "
            "write the change into a file and name it with --configfile"
        )
    try:
        return parameters.load(
            Path(workflow.basedir if frozen else "", "params.yaml"),
            map(Path, workflow.overwrite_configfiles),
            # What users' manifests would not allow was refused before the copy was made.
            feasible=not frozen,
        )
    except UserError as error:
        sys.exit(f"error: {error}")


#: Overlays of this run, frozen or not.
OVERLAYS = list(workflow.overwrite_configfiles)
# Never Snakemake's own `config`: PyYAML takes `1e-3` for a string, and merges other tables.
PARAMS = read_params()
GRID = {
    "dataset": list(PARAMS.datasets),
    "method": PARAMS.method_names,
    "seed": PARAMS.seeds,
}
# Not `workflow.cores`: it fails where nobody gives a number (--unlock, --lint, a cluster).
CORES = workflow.resource_settings.cores or 1


def methods_to_make():
    """All methods; where Snakemake is told what to make (`--allowed-rules`), those it names.

    The model of a teacher is then a file like any other: a cell of DVC, or a job on a cluster,
    makes its own outputs and never those of another job of the same rule.
    """
    if "--allowed-rules" not in sys.argv:
        return GRID["method"]
    named = set(re.split("[/=,:]", "/".join(sys.argv)))
    return [method for method in GRID["method"] if method in named] or GRID["method"]


wildcard_constraints:
    dataset="|".join(map(re.escape, GRID["dataset"])),
    method="|".join(map(re.escape, methods_to_make())),
    seed=r"\d+",
    part=r"\d+",


DEPLOYED = workflow.deployment_settings.deployment_method & {
    DeploymentMethod.CONDA,
    DeploymentMethod.APPTAINER,
}
# For `--sdm conda`. It is solved before the jobs run, maybe on another machine than theirs, so
# `auto` cannot mean: look whether there is a GPU.
GPU = PARAMS.runtime.device.startswith("cuda")
ENVIRONMENT = f"../../envs/{'gpu' if GPU else 'cpu'}.yaml"
if DeploymentMethod.CONDA in DEPLOYED and PARAMS.runtime.device == "auto":
    note = "runtime.device is auto: jobs get envs/cpu.yaml; say cuda for envs/gpu.yaml"
    print(f"NOTE: {note}", file=sys.stderr)


def before_each_command():
    """The shell text that makes `equipoise` the code of this folder, with the right packages.

    Those of the installation that runs Snakemake, activated or not; or those of the environment or
    image that `--sdm` put there before, and which that installation must not hide.
    """
    quoted = map(shlex.quote, (sys.path[0], PARAMS.runtime.model_dump_json()))
    # How this machine works stands here, not among the params of a job: it reruns nothing.
    text = "export PYTHONPATH={}:$PYTHONPATH EQUIPOISE_RUNTIME={}; ".format(*quoted)
    if DEPLOYED:
        text += 'equipoise() { python -m equipoise.cli "$@"; }; '
    else:
        text += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
    return text


shell.prefix(before_each_command().replace("{", "{{").replace("}", "}}"))


def paths(cell, *names):
    """Files of a cell of the grid by name, all or some, as Snakemake wants them."""
    return {name: str(cell[name]) for name in names or cell}


def settings(stage):
    """The settings of a job as one JSON string: Snakemake compares values without their names."""

    def of_job(wildcards):
        cell = (wildcards.get("dataset", ""), wildcards.get("method", ""))
        return parameters.job_settings(PARAMS, stage, *cell).model_dump_json()

    return of_job


@cache
def digest(stage, dataset, method):
    """Of the code of all seeds: Snakemake asks for every job, more than once."""
    return code_digest(PARAMS, stage, dataset, method)


def code(stage):
    """A digest of the source files that decide what a job computes."""

    def of_job(wildcards):
        return digest(stage, wildcards.get("dataset", ""), wildcards.get("method", ""))

    return of_job


def parts_of(wildcards):
    """The records of all parts; with one part, the job that joins makes it all by itself."""
    parts = PARAMS.extract_of(wildcards.dataset).parts
    names = map(str, range(parts if parts > 1 else 0))
    return [str(layout.part(wildcards.dataset, name)) for name in names]


def train_inputs(wildcards):
    """Features and split; what came of the warm-up, or a trained run, where a method reads it."""
    # The trials of a search are trained with the first seed.
    cell = (wildcards.dataset, wildcards.get("seed", str(PARAMS.seeds[0])))
    needed = paths(layout.features(wildcards.dataset), "features")
    needed |= paths(layout.split(wildcards.dataset), "split")
    needed |= paths(layout.embed(wildcards.dataset), "embeddings")
    if wildcards.method in PARAMS.methods.from_warmup:
        needed |= paths(layout.warmup(*cell), "weights", "model")
        needed |= paths(layout.gap(*cell), "gap", "fit", "subset")
    if wildcards.method in PARAMS.methods.with_teacher:
        dataset, seed = cell
        teacher = layout.train(dataset, PARAMS.methods.teacher, seed)
        needed |= {
            f"teacher_{name}": str(teacher[name]) for name in ("weights", "model")
        }
    return needed


def grid(*patterns):
    """Files of all cells of the grid, each once."""
    return list(dict.fromkeys(expand(list(patterns), **GRID)))


def command(stage, *more):
    """The one command of a stage. (Snakemake sets OMP_NUM_THREADS and its like to `threads`.)"""
    names = (*layout.CELL[stage], *more)
    cell = " ".join(f"--{name} {{wildcards.{name}}}" for name in names)
    return (
        # A signal to all processes of a job must not end the shell, and with it the job, before
        # the stage has ended in its own way.
        f"trap : TERM USR1; equipoise {stage} {cell} --threads {{threads}}"
        " --code {params.code} --settings {params.settings:q} > {log} 2>&1"
        " || {{ status=$?; test $status != 137"
        f" || echo '{retries.KILLED}' >> {{log}}; exit $status; }}}}"
    )


# One name for all jobs of this run, those in other processes too: a tracking server that does not
# answer is waited for by the first of them only.
os.environ.setdefault("EQUIPOISE_RUN", f"{os.getpid()}-{os.urandom(4).hex()}")


def jobs_run_here():
    executor = type(workflow.scheduler._executor).__module__
    return executor.startswith("snakemake.executors.local")


def jobs_can_be_forks():
    """Not with a GPU: whether one can be opened in a fork was not tried, and its jobs are long."""
    device = PARAMS.runtime.device
    on_cpu = device == "cpu" or device == "auto" and not forkserver.some_gpu()
    return PARAMS.runtime.fork_server and on_cpu and jobs_run_here() and not DEPLOYED


def start_forkserver():
    """Jobs that import PyTorch share one import, if there are several of them."""
    short = ("warmup", "gap", "train", "evaluate")
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name in short]
    if len(jobs) > 2 and jobs_can_be_forks():
        # What Snakemake sets for a job of one thread; others run by themselves.
        libraries = ("OMP_NUM", "GOTO_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMEXPR_NUM")
        names = [f"{name}_THREADS" for name in (*libraries, "VECLIB_MAXIMUM")]
        environment = {**os.environ, **dict.fromkeys(names, "1")}
        try:
            forkserver.start(before_each_command(), environment)
        except OSError as error:
            print(
                f"NOTE: each job imports PyTorch by itself ({error})", file=sys.stderr
            )


def init_tracking():
    """Jobs on this machine leave their runs to `import_tracked`; for others make a store once."""
    if "MLFLOW_TRACKING_URI" in os.environ:
        return
    if jobs_run_here():
        os.environ.update(EQUIPOISE_TRACKING="later")
    elif not Path("mlflow.db").exists():
        # Parallel first users would race for its tables.
        track("init")


def import_tracked():
    """Send MLflow the runs of all short jobs by one process: what it costs, it costs once."""
    waiting = Path("state/tracking").glob("*/run.jsonl")
    if os.environ.get("EQUIPOISE_TRACKING") == "later" and any(waiting):
        track("import", "--remove")


def track(*task):
    """Run `equipoise track`; what goes wrong is said in one line and costs no result."""
    try:
        subprocess.run(
            [sys.executable, "-m", "equipoise.cli", "track", *task],
            env={**os.environ, "PYTHONPATH": sys.path[0]},
            check=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        print(f"WARNING: no MLflow store ({said}); going on without", file=sys.stderr)


def prepare_cluster():
    """On Slurm: no further attempt for jobs that failed by themselves; patience."""
    executor = workflow.scheduler._executor
    if type(executor).__module__ == "snakemake_executor_plugin_slurm":
        # The plugin does not quote it: every job would fail, and none could say why.
        if " " in sys.executable:
            sys.exit(f"error: {sys.executable}: has a space; Slurm cannot start it")
        if refusal := arrays.refusal(workflow.executor_settings):
            sys.exit(f"error: {refusal}")
        retries.judge(executor)
        outages.wait_out(sys.modules["snakemake_executor_plugin_slurm"])
