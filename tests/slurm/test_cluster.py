"""The cluster that the other tests of this folder run on."""

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(1800)]


def submit(cluster, *options, command):
    return cluster.client(
        *("sbatch", "--parsable", "--output=/dev/null", "--time=5", *options, f"--wrap={command}")
    ).strip()


def state(cluster, job):
    return cluster.jobs().get(job, {}).get("JobState")  # nothing while Slurm does not answer


def test_two_gpu_jobs_get_a_gpu_each_and_a_cpu_job_gets_none(cluster):
    gpu = [submit(cluster, "--partition=gpu", "--gpus=1", command="srun sleep 1") for _ in range(2)]
    cpu = submit(cluster, command="srun true")
    cluster.wait(
        lambda: all(state(cluster, job) == "COMPLETED" for job in (*gpu, cpu)), 120, "finished jobs"
    )
    jobs = cluster.jobs()
    assert {jobs[job]["NodeList"] for job in gpu} == {"gpu01", "gpu02"}
    assert {jobs[job]["visible"] for job in gpu} == {"0"}
    assert (jobs[cpu]["NodeList"], jobs[cpu]["visible"]) == ("cpu01", "")


def test_a_job_outlives_its_daemons_but_not_its_node(cluster, tmp_path):
    begun = tmp_path / "begun"
    job = submit(cluster, "--no-requeue", command=f"srun sh -c 'touch {begun}; sleep 600'")
    # Before its task runs, a job has nothing on the node that could outlive the daemon: Slurm calls
    # it RUNNING earlier, and its script begins before srun has asked the daemon for the task.
    cluster.wait(begun.exists, 120, "task of the job")
    cluster.kill("cpu01")
    cluster.start_daemon("cpu01")
    cluster.kill("slurmctld")
    cluster.start_daemon("slurmctld")
    cluster.wait(lambda: "cpu01" in cluster.nodes("mix"), 120, "answer of the new daemons")
    assert state(cluster, job) == "RUNNING"
    cluster.crash("cpu01")
    # Slurm would find out by itself within a minute.
    cluster.client("scontrol", "update", "NodeName=cpu01", "State=DOWN", "Reason=crash")
    cluster.wait(lambda: state(cluster, job) == "NODE_FAIL", 120, "record of the lost job")
    cluster.start_daemon("cpu01")
    cluster.client("scontrol", "update", "NodeName=cpu01", "State=RESUME")
    cluster.wait(lambda: "cpu01" in cluster.nodes("idle"), 120, "node")
