"""A real, throw-away Slurm cluster on one machine: two GPU nodes, one CPU node, one folder.

No systemd, no root, no accounting database, nothing outside the folder: munged, slurmctld and one
slurmd for each node are child processes. GPUs are character devices (slurmd accepts no other file,
and only then sets CUDA_VISIBLE_DEVICES in a job). Nodes claim more than the machine has, so that
the shipped profile runs unchanged. Needs the Debian packages ``slurm-wlm`` and ``munge``.

Whatever belongs to a cluster (daemons, Snakemake, jobs) carries MARK in its environment, so that
``stop`` finds all of it and never touches anything else. The daemons also die with their parent.
"""

import ctypes
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

MARK = "MINISLURM"
#: Node -> the devices that stand for its GPUs.
NODES = {"cpu01": [], "gpu01": ["/dev/null"], "gpu02": ["/dev/null"]}
PARTITIONS = {"cpu": ["cpu01"], "gpu": ["gpu01", "gpu02"]}
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

CONF = """\
ClusterName=mini
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
# Nothing that needs systemd, cgroups or hardware.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
MailProg=/bin/true
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
TaskProlog={folder}/bin/task_prolog
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
# sbatch refuses at once what could never run.
EnforcePartLimits=ALL
ReturnToService=2
# Quick reactions; finished jobs stay visible for squeue and scontrol.
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1
MinJobAge=3600
KillWait=30
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=30
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=16 Boards=1 "
    "SocketsPerBoard=1 CoresPerSocket=16 ThreadsPerCore=1 RealMemory=64000 {gres}\n"
)
#: Runs in the environment of every task: what a job sees of its node and GPU.
TASK_PROLOG = """\
#!/bin/sh
echo "job=$SLURM_JOB_ID step=$SLURM_STEP_ID node=$SLURMD_NODENAME gpus=$SLURM_JOB_GPUS \
visible=$CUDA_VISIBLE_DEVICES" >> {folder}/log/tasks.txt
"""
#: The Slurm plugin drops SLURM_CONF before the srun within a job; a real node has /etc/slurm.
SRUN = """\
#!/bin/sh
SLURM_CONF={folder}/etc/slurm.conf exec {srun} "$@"
"""


def missing() -> str:
    """Return why no cluster can be started here, or nothing."""
    programs = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sacct")
    absent = [name for name in programs if not shutil.which(name, path=SBIN)]
    if " " in sys.executable:
        return f"Snakemake's Slurm plugin cannot start {sys.executable}, whose path has a space"
    return f"not installed: {', '.join(absent)} (Debian: slurm-wlm, munge)" if absent else ""


@dataclass
class Cluster:
    """``start``, then run clients with ``environment``; ``stop`` leaves no process behind."""

    folder: Path
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a client of this cluster needs."""
        return {
            "SLURM_CONF": f"{self.folder}/etc/slurm.conf",
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            MARK: str(self.folder),
        }

    def start(self) -> None:
        """Write the configuration, start all daemons, wait until every node is idle."""
        self._configure()
        munge = self.folder / "munge"
        # --force: the folder may lie below a private one, such as pytest's.
        files = [f"--{name}-file={munge / name}" for name in ("key", "log", "pid", "seed")]
        self._spawn("munged", "--foreground", "--force", f"--socket={munge / 'socket'}", *files)
        self.wait(lambda: (munge / "socket").exists(), 60, "munged")
        for name in ("slurmctld", *NODES):
            self.start_daemon(name)
        self.wait(lambda: len(self.nodes("idle")) == len(NODES), 120, "idle nodes")

    def start_daemon(self, name: str) -> None:
        """Start slurmctld or the slurmd of a node, also again after ``kill`` or ``crash``."""
        if name in NODES:
            self._spawn("slurmd", "-D", "-N", name, key=name, SLURMD_NODENAME=name)
        else:
            self._spawn(name, "-D")

    def kill(self, name: str) -> None:
        """End slurmctld (it saves its state), or kill the slurmd of a node; jobs live on."""
        process = self.daemons.pop(name)
        process.send_signal(signal.SIGKILL if name in NODES else signal.SIGTERM)
        process.wait()

    def crash(self, node: str) -> None:
        """Kill all processes of a node at once, as a power cut does."""
        self._kill_all(f"SLURMD_NODENAME={node}")
        self.kill(node)
        self._kill_all(f"SLURMD_NODENAME={node}")

    def stop(self) -> None:
        """End everything that belongs to this cluster."""
        for process in reversed(self.daemons.values()):
            process.kill()
            process.wait()
        self.daemons.clear()
        self._kill_all()

    def client(self, *command: str) -> str:
        """Return what a Slurm command prints; nothing if it fails (the controller may be down)."""
        environment = {**os.environ, **self.environment}
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return "" if result.returncode else result.stdout

    def nodes(self, state: str) -> set[str]:
        """Return the nodes in a state of ``sinfo``."""
        return set(self.client("sinfo", "-h", "-N", "-t", state, "-o", "%N").split())

    def jobs(self) -> dict[str, dict[str, str]]:
        """Return Slurm's record of every job by its id, finished or not, and what its tasks saw.

        Names as ``scontrol show job`` has them (JobState, NodeList, Partition, Comment, TRES,
        TimeLimit, ...), ``visible``: CUDA_VISIBLE_DEVICES of the last task of the job, and once it
        has begun, ``gpus``: what Slurm gave it.
        """
        found = {}
        for line in self.client("scontrol", "--oneliner", "show", "job").splitlines():
            record = dict(re.findall(r"(\w+)=(\S*)", line))
            if "JobId" in record:
                found[record["JobId"]] = {**record, "visible": ""}
        tasks = self.folder / "log/tasks.txt"
        for line in tasks.read_text().splitlines() if tasks.exists() else ():
            task = dict(re.findall(r"(\w+)=(\S*)", line))
            if task["job"] in found:
                found[task["job"]].update(visible=task["visible"], gpus=task["gpus"])
        return found

    def wait(self, condition, seconds: float, what: str) -> None:
        """Wait for an event; say what was waited for, and how the daemons are, if it never came."""
        end = time.monotonic() + seconds
        while not condition():
            dead = [name for name, process in self.daemons.items() if process.poll() is not None]
            if dead or time.monotonic() > end:
                raise AssertionError(f"no {what}; ended: {dead}\n{self.logs()}")
            time.sleep(0.1)

    def logs(self) -> str:
        """Return the end of each log of the daemons."""
        paths = sorted((self.folder / "log").iterdir())
        return "\n".join(f"-- {p.name}\n{p.read_text(errors='replace')[-1500:]}" for p in paths)

    def _configure(self) -> None:
        for name in ("etc", "state", "spool", "log", "munge", "bin"):
            (self.folder / name).mkdir(parents=True)
        host = socket.gethostname().partition(".")[0]
        port, *ports = _free_ports(1 + len(NODES))
        values = {"host": host, "port": port, "user": getpass.getuser(), "folder": self.folder}
        conf, gres = CONF.format(**values), "AutoDetect=off\n"
        for (name, gpus), node_port in zip(NODES.items(), ports, strict=True):
            (self.folder / "spool" / name).mkdir()
            count = f"Gres=gpu:{len(gpus)}" if gpus else ""
            conf += NODE.format(name=name, host=host, port=node_port, gres=count)
            gres += "".join(f"NodeName={name} Name=gpu File={device}\n" for device in gpus)
        for name, nodes in PARTITIONS.items():
            default = "YES" if name == next(iter(PARTITIONS)) else "NO"
            conf += f"PartitionName={name} Nodes={','.join(nodes)} Default={default} State=UP\n"
        (self.folder / "etc/slurm.conf").write_text(conf)
        (self.folder / "etc/gres.conf").write_text(gres)
        key = self.folder / "munge/key"
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        for name, text in (("task_prolog", TASK_PROLOG), ("srun", SRUN)):
            script = self.folder / "bin" / name
            script.write_text(text.format(folder=self.folder, srun=shutil.which("srun")))
            script.chmod(0o755)

    def _spawn(self, program: str, *arguments: str, key: str = "", **environment: str) -> None:
        with (self.folder / "log" / f"{key or program}.out").open("ab") as log:
            self.daemons[key or program] = subprocess.Popen(
                [shutil.which(program, path=SBIN), *arguments],
                env={**os.environ, **self.environment, **environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def _kill_all(self, also: str = "") -> None:
        """Kill the processes with MARK (and ``also``) in their environment until none is left."""
        wanted = {f"{MARK}={self.folder}".encode(), *filter(None, [also.encode()])}
        while True:
            found = [
                int(path.name) for path in Path("/proc").glob("[0-9]*") if _carries(path, wanted)
            ]
            if not found:
                return
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)


def _carries(process: Path, wanted: set[bytes]) -> bool:
    """Tell whether a process has the variables in its environment; a dead one has none."""
    if process.name == str(os.getpid()):
        return False
    try:
        return wanted <= set((process / "environ").read_bytes().split(b"\0"))
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
