"""CPU time of a training epoch after stage embed against one that encodes in every step.

Run it in a project folder after `snakemake --until embed` with the same overlay (by default the
emoji pairs: MiniLM and EfficientNet-Lite0, both frozen). Both sides train the same model with the
same loop on the same batches; the second reads the stored pictures and tokens, and runs both
encoders on each batch, without gradient, in place of reading what stage embed stored. They take
turns in one process; of each the cheapest round counts, as others share the machine.

    python benchmarks/embedding.py [--overlay configs/emoji.yaml] [--rounds 3] [--threads 1]
"""

import argparse
import contextlib
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from equipoise import layout, params
from equipoise.params import job_settings
from equipoise.stages.job import Job
from equipoise.store.features import FeatureStore
from equipoise.store.inputs import open_inputs
from equipoise.training.checkpoint import Checkpoints
from equipoise.training.data import Data
from equipoise.training.embedding import Embedder, embedders
from equipoise.training.job import Start, make_trainer
from equipoise.training.loop import Trainer
from equipoise.training.source import Raw, Source, open_source

METHOD = "joint"


class Encoding:
    """Gives what stage embed would have stored, made anew of the stored samples of each batch."""

    def __init__(self, samples: Source, encoders: dict[str, Embedder]) -> None:
        self.samples, self.encoders = samples, encoders

    def batches(self, batches: Sequence[Tensor], ends: Sequence[int] = ()) -> Iterator[Raw]:
        """Yield one batch for each tensor of row numbers."""
        for raw in self.samples.batches(batches, ends):
            yield {
                m: self.encoders[m].outputs(stored) if m in self.encoders else stored
                for m, stored in raw.items()
            }


def seconds(trainer: Trainer, source: Source, epoch: int) -> float:
    """CPU seconds, of all threads, of one epoch of the loop, validation apart."""
    trainer.run.data._source = source
    begin = time.process_time()
    trainer._train_epoch(epoch, 0)
    spent = time.process_time() - begin
    trainer._plan = trainer._totals = None
    return spent


def expect_same(data: Data, stored: Source, encoding: Source) -> None:
    """Stop unless both sides give the same inputs."""
    rows = [torch.from_numpy(data.splits["train"][:32])]
    (first,), (second,) = list(stored.batches(rows)), list(encoding.batches(rows))
    for m in first:
        torch.testing.assert_close(first[m], second[m], rtol=1e-3, atol=1e-4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--overlay", type=Path, default=Path("configs/emoji.yaml"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    loaded = params.load(Path("params.yaml"), [options.overlay])
    (dataset,) = loaded.datasets
    settings = job_settings(loaded, "train", dataset, METHOD)
    # A constant rate in an endless run: every epoch is one of the middle.
    endless = settings.train.model_copy(update={"epochs": 10**6, "schedule": "constant"})
    settings = settings.model_copy(update={"train": endless})
    job = Job("train", dataset, METHOD, threads=options.threads)
    cpu = torch.device("cpu")
    with contextlib.ExitStack() as stack:
        inputs = stack.enter_context(open_inputs(dataset))
        features = stack.enter_context(FeatureStore(layout.features(dataset)["features"]))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        trainer = make_trainer(job, settings, METHOD, {}, 10**6, Start(), inputs)
        trainer.checkpoints = Checkpoints(Path(folder), 3600.0)
        trainer.method.attach(trainer.run.model, {})
        trainer.method.setup(trainer.run)
        data = trainer.run.data
        stored = data._source
        frozen = embedders(features, loaded.encoders_of(dataset), data.splits["train"], cpu)
        encoding = Encoding(open_source(features, data.modalities, cpu, 8.0), frozen)
        expect_same(data, stored, encoding)
        seconds(trainer, stored, 1)  # warms up
        spent: dict[str, list[float]] = {"embedded": [], "encoding": []}
        for epoch in range(2, 2 * options.rounds + 2, 2):
            spent["embedded"].append(seconds(trainer, stored, epoch))
            spent["encoding"].append(seconds(trainer, encoding, epoch + 1))
    best = {name: min(values) for name, values in spent.items()}
    print(f"{dataset}: {len(data.splits['train'])} samples, {options.threads} thread(s), CPU time")
    for m, one in sorted(frozen.items()):
        print(f"{m:12} {one.origin.name}, {features.shape(m)} -> {inputs.shape(m)}")
    print(f"encoding in every step  {best['encoding']:8.3f} s an epoch")
    print(f"after stage embed       {best['embedded']:8.3f} s an epoch")
    print(f"ratio                   {best['encoding'] / best['embedded']:8.1f}  (aim >= 50)")


if __name__ == "__main__":
    main()
