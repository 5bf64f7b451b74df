"""Tasks that tests run in several processes: :func:`run`, or ``torchrun processes.py TASK``."""

import os
import subprocess
import sys
from pathlib import Path

import torch
import toy_data
from torch import nn

from equipoise.errors import ProcessError
from equipoise.models.build import build_encoder
from equipoise.params import Encoder
from equipoise.training import world
from equipoise.training.shares import share

TRAIN = toy_data.TRAIN.model_copy(update={"epochs": 3})
#: Encoders that are tried in shares: of the others, the layers are in these.
SHARED = {
    "conv_frames-pictures",
    "conv_spectrogram-spectrogram",
    "conv_speech-spectrogram",
    "resnet18-spectrogram",
    "temporal_conv-sequence",
    "mlp-vector",
    "bag-tokens",
}


def run(processes, *arguments, **environment):
    """Run a task of this file in so many processes; return the finished command."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [sys.executable, *torchrun, __file__, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def loss_of(features):
    """No sum over samples: every sample's gradient depends on all others."""
    return (features @ features.T).logsumexp(dim=1).sum() + features.std(dim=0).sum()


def gradients(encoder, batch):
    parameters = list(encoder.parameters())
    encoder.zero_grad()
    loss_of(encoder(batch)).backward()
    first = [p.grad.clone() for p in parameters]
    again = torch.autograd.grad(loss_of(encoder(batch)), parameters)
    return [*first, *again]


def two_of(row, dtype):
    """Return the encoder of a row twice: for one process, and in shares."""
    pair = []
    for _ in range(2):
        torch.manual_seed(1)
        chosen = Encoder(name=row.name, options=row.options)
        pair.append(build_encoder(chosen, row.given, 8).to(dtype))
    alone, shared = pair
    share(nn.ModuleDict({"m": shared}), world.current())
    assert list(alone.state_dict()) == list(shared.state_dict())
    return alone, shared


def batches(row, pair):
    """Yield batches of several sizes, in both modes."""
    for count in (8, 7, 2):  # the last leaves a process without a sample
        for training in (True, False):
            for encoder in pair:
                encoder.train(training)
            yield row.inputs(count)


def encoders():
    """Features, gradients and running statistics are those of one process."""
    sys.path.append(str(Path(__file__).with_name("models") / "encoders"))
    from encoder_settings import ROWS

    for row in (row for row in ROWS if row.id in SHARED):
        alone, shared = pair = two_of(row, torch.float32)
        for batch in batches(row, pair):
            with torch.no_grad():
                torch.testing.assert_close(shared(batch), alone(batch), rtol=1e-2, atol=1e-3)
            with torch.autocast("cpu", torch.bfloat16):
                found, expected = shared(batch), alone(batch)
            assert found.dtype == expected.dtype
            torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)
        # The order of sums is another one, and in float32 statistics of few values make a percent
        # of it: that all is the same shows in float64.
        alone, shared = pair = two_of(row, torch.float64)
        for batch in batches(row, pair):
            inputs = batch.double() if batch.is_floating_point() else batch
            with torch.no_grad():
                torch.testing.assert_close(shared(inputs), alone(inputs))
            both = zip(gradients(shared, inputs), gradients(alone, inputs), strict=True)
            for found, expected in both:
                torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)
        for name_of, value in shared.state_dict().items():
            torch.testing.assert_close(value, alone.state_dict()[name_of])


def agreement():
    """What one process gets, all know."""
    here = world.current()
    assert here.agreed("", False) == ("", False)
    assert here.agreed("SIGUSR1" if here.rank == 1 else "", False) == ("SIGUSR1", False)
    assert here.agreed("", here.first) == ("", True)
    assert here.agreed("", not here.first) == ("", False)
    note = Path("note")
    assert here.in_turn(lambda: note.write_text("x") if here.first else note.read_text())
    here.expect_same("weights", [torch.tensor(2.0)])
    try:
        here.expect_same("weights", [torch.tensor(2.0 + 1e-6 * here.rank)])
    except ProcessError as error:
        assert "do not hold the same weights" in str(error)
    else:
        raise AssertionError("different weights went unnoticed")


def basics():
    encoders()
    agreement()


def methods(seconds, *keys):
    """Train these rows of the table of methods, with a checkpoint every so many seconds."""
    sys.path.append(str(Path(__file__).with_name("methods")))
    from settings import ROWS

    for row in ROWS:
        if row.key in keys:
            runtime = {"checkpoint_seconds": float(seconds)}
            toy_data.run_train(row.key, row.options, row.warm, runtime=runtime, train=TRAIN)


def windows():
    """Train on rows of the file, shuffled in windows."""
    train = TRAIN.model_copy(update={"shuffle_window": 64})
    toy_data.run_train("joint", train=train, runtime={"resident_gib": 0.0})


def search():
    """Try three learning rates for joint training; one of them diverges."""
    from equipoise.stages import search

    changes = [{"learning_rate": 1e-3}, {"learning_rate": 1e30}]
    settings = toy_data.search_settings(
        toy_data.train_settings(train=TRAIN), trials=3, train_changes=changes
    )
    search.run(toy_data.job("search", "joint"), settings)


TASKS = {"basics": basics, "methods": methods, "search": search, "windows": windows}

if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    with world.joined("cpu"):
        TASKS[task](*arguments)
