"""A training step asks the device for no number: the program would wait for it, in every step."""

import traceback

import pytest
import toy_data
from settings import ROWS
from torch.utils._python_dispatch import TorchDispatchMode

from equipoise.params import Train
from equipoise.training import job

#: Operations whose result the program needs to go on.
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2")
#: Function that may look at a number, and why it is none of a device.
LOOKS = {
    "label_frequencies": "on a CPU torch's one_hot checks the labels; on a GPU it does not",
    "_applied": "a die, cast on the CPU",
    "prioritise": "the factors of a ranking, kept on the CPU",
}


class Looks(TorchDispatchMode):
    """Notes the function of ours in which a number is looked at."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.name().removeprefix("aten::").split(".")[0] in WAITS:
            ours = [f for f in traceback.extract_stack() if "/equipoise/" in f.filename]
            self.found.add(ours[-1].name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("row", ROWS, ids=[row.key for row in ROWS])
def test_a_step_waits_for_no_device(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    # AdamW counts its steps in tensors of the CPU, and looks at them.
    train = Train(epochs=4, batch_size=36, learning_rate=5e-3, optimizer="sgd")
    toy_data.write_project()
    if row.warm:
        toy_data.run_warmup(train=train)
    if toy_data.is_taught(row.key):
        toy_data.run_train(toy_data.TEACHER, train=train)
    create, looks = job.create, Looks()

    def watched(*arguments):
        method = create(*arguments)
        step = method.train_step

        def train_step(batch):
            with looks:
                return step(batch)

        method.train_step = train_step
        return method

    monkeypatch.setattr(job, "create", watched)
    toy_data.run_train(row.key, row.options, row.warm, train=train)
    assert looks.found <= LOOKS.keys()
