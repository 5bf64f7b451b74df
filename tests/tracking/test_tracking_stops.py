"""The run of a job that a signal stopped, and what comes after it."""

from pathlib import Path

import pytest
import toy_data
from stops import send_at
from test_tracking_runs import runs

from equipoise.errors import Stopped

RARE = {"checkpoint_seconds": 1e6}


def test_a_stopped_job_is_killed_and_the_continued_one_takes_its_place(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_data.write_project()
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        send_at(patch, "step", 8)
        toy_data.run_train("joint", runtime=RARE)
    (stopped,) = runs()
    assert stopped.info.status == "KILLED"
    assert "stopped by SIGTERM; saved in state/" in stopped.data.tags["error"]
    toy_data.run_train("joint", runtime=RARE)
    (finished,) = runs()
    assert finished.info.status == "FINISHED" and finished.info.run_id != stopped.info.run_id
    assert [old.info.run_id for old in runs(deleted=True)] == [stopped.info.run_id]
