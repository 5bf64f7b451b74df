"""Two processes that train the same cell: the second is told, and the first is not disturbed."""

import pytest
import toy_data

from equipoise import files, layout
from equipoise.errors import UserError


def test_a_cell_that_another_process_trains_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    cell = layout.checkpoints("train", "toy", "joint", "0")
    with files.alone(cell / ".lock", "it is held"):
        with pytest.raises(UserError, match="another process trains this; wait for it or stop it"):
            toy_data.run_train("joint")
        assert not layout.train("toy", "joint", "0")["weights"].exists()
        assert not list(cell.glob("*/[0-9]*")), "no checkpoint of the second"
    toy_data.run_train("joint")
    assert layout.train("toy", "joint", "0")["weights"].exists()
