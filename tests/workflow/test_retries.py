"""Which failures of Slurm jobs are worth another attempt."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from equipoise.errors import Stopped


@pytest.fixture
def retries(monkeypatch):
    scripts = Path(__file__).resolve().parents[2] / "workflow/scripts"
    monkeypatch.setattr(sys, "path", [str(scripts), *sys.path])
    return importlib.import_module("retries")


@pytest.mark.parametrize(
    ("state", "rules", "killed", "again"),
    [
        ("OUT_OF_MEMORY", ["train"], False, True),
        ("TIMEOUT", ["train", "evaluate"], False, True),
        ("NODE_FAIL", ["train"], False, True),
        ("FAILED", ["train", "evaluate"], False, False),
        ("FAILED", ["train", "evaluate"], True, True),
        ("FAILED", ["download"], False, True),
        ("CANCELLED", ["train"], False, False),
        ("CANCELLED", ["train"], True, False),
        ("DEADLINE", ["download"], False, False),
    ],
)
def test_more_memory_or_time_for_what_they_can_mend(retries, tmp_path, state, rules, killed, again):
    ended, gone = tmp_path / "train.log", tmp_path / "no-such.log"
    ended.write_text(f"epoch 1\n{retries.KILLED if killed else 'error: no such file'}\n")
    assert retries.worth_another(state, rules, [gone, ended]) == again


def test_a_stage_that_was_told_of_its_time_limit_goes_on(retries, tmp_path):
    log = tmp_path / "train.log"
    log.write_text(f"equipoise train: {Stopped('SIGTERM', 'state/train')}\n")
    assert retries.worth_another("FAILED", ["train"], [log])
    assert not retries.worth_another("CANCELLED", ["train"], [log])


@pytest.mark.parametrize(
    ("message", "attempts_left"),
    [
        ("SLURM-job '7' failed, SLURM status is: 'TIMEOUT'. Detailed ...", True),
        ("SLURM-job '7' failed, SLURM status is: 'FAILED'. Detailed ...", False),
        ("SLURM sbatch failed. The error message was 'Socket timed out'.", True),
        (None, True),
    ],
)
def test_the_scheduler_finds_no_attempt_left_after_a_final_failure(retries, message, attempts_left):
    said = []
    executor = SimpleNamespace(
        report_job_error=lambda job, msg=None, aux_logs=None: said.append((msg, aux_logs)),
        logger=SimpleNamespace(error=said.append),
    )
    job = SimpleNamespace(rules=["train"], log=[], output=["model"], restart_times=2, attempt=1)
    job._attempt = job.attempt
    retries.judge(executor)
    executor.report_job_error(SimpleNamespace(job=job), msg=message, aux_logs=["slurm.log"])
    # The scheduler's condition for another attempt; `attempt` reads `_attempt`.
    assert (job.restart_times > job._attempt - 1) == attempts_left
    final = [] if attempts_left else ["FAILED, and not tried again: the job for model"]
    assert said == [*final, (message, ["slurm.log"])]
