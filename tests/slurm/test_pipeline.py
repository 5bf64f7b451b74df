"""The real pipeline on the cluster: every stage where it belongs, with its GPU."""

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(1800)]
ON_GPU = {"warmup", "gap", "train", "evaluate"}
ON_CPU = {"download", "extract", "split", "audit"}


def test_every_stage_of_the_keypad_pipeline_runs_where_it_should(on_cluster):
    project = on_cluster({}, stand_ins=False)
    project.snakemake("--configfile", "tests/slurm/tiny.yaml")
    assert "gmm-adaptive" in (project.folder / "results/comparison.csv").read_text()
    assert (project.folder / "results/report.html").exists()

    records = {job["JobId"]: job for jobs in project.slurm_jobs().values() for job in jobs}
    assert {job["JobState"] for job in records.values()} == {"COMPLETED"}
    seen = project.seen()
    for stage in seen:
        if stage["stage"] in ON_GPU:
            record = records[stage["job"]]
            assert record["Partition"] == "gpu", stage
            assert record["TresPerJob"] == "gres:gpu:1", stage
            assert (record["NodeList"], stage["gpu"]) == (stage["node"], "0"), stage
        elif stage["stage"] in ON_CPU:
            record = records[stage["job"]]
            assert (record["Partition"], record["NodeList"]) == ("cpu", "cpu01"), stage
            assert "TresPerJob" not in record, stage
            assert (stage["node"], stage["gpu"]) == ("cpu01", ""), stage
        else:
            assert stage["stage"] in {"embed", "search", "compare", "track"}
            assert stage["job"] == "", "no Slurm job for what is done in a moment"
    # One Slurm job each: audit; download; extract; split; warmup, gap; train, evaluate, twice.
    together = {}
    for stage in seen:
        together.setdefault(stage["job"], []).append(stage["stage"])
    together.pop("")
    assert sorted(together.values()) == [
        ["audit"],
        ["download"],
        ["extract"],
        ["split"],
        ["train", "evaluate"],
        ["train", "evaluate"],
        ["warmup", "gap"],
    ]
    train = next(records[stage["job"]] for stage in seen if stage["stage"] == "train")
    assert "mem=8000M" in train["TRES"] and "cpu=8" in train["TRES"]
    assert train["TimeLimit"] == "14:00:00", "that of train and evaluate"
    assert {stage["node"] for stage in seen if stage["stage"] in ON_GPU} <= {"gpu01", "gpu02"}
