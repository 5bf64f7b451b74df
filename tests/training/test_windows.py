"""Epochs that are shuffled in windows: features larger than memory are read in long runs."""

import json
import math
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import processes
import pytest
import torch
import toy_data
from scipy.stats import spearmanr

from equipoise import layout
from equipoise.methods.base import Plan
from equipoise.modalities.packing import Jpeg, joined
from equipoise.store import shards
from equipoise.store.features import FeatureStore
from equipoise.store.join import Plan as StorePlan
from equipoise.store.join import join
from equipoise.training.data import Data
from equipoise.training.held import GAP, Held, runs
from equipoise.training.order import CHUNK, arranged, permutation, spans, windows
from equipoise.training.source import Compact, Resident, Rows, open_source

CPU = torch.device("cpu")
VARIED = {"video": {"shift": 2}}


def data(resident, window, count=400, store=None):
    store = store or toy_data.MemoryStore(count=count)
    return Data(store, toy_data.splits(count), CPU, resident, augment=VARIED, window=window)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 129, 1000, 5000])
@pytest.mark.parametrize("window", [1, 64, 100, 640])
def test_every_place_comes_once_and_depends_on_seed_and_epoch_alone(count, window):
    found = permutation(count, (3, 1), window)
    assert sorted(found.tolist()) == list(range(count))
    assert torch.equal(found, permutation(count, (3, 1), window))
    parts = windows(count, (3, 1), window)
    assert all(0 < len(part) <= max(window, CHUNK) + 2 * CHUNK for part in parts)
    if count > 100:
        assert not torch.equal(found, permutation(count, (3, 2), window))
        assert not torch.equal(found, permutation(count, (4, 1), window))


def test_what_fits_into_one_window_is_shuffled_as_ever():
    for window in (None, 1000, 1001):
        assert torch.equal(permutation(1000, (0, 1), window), permutation(1000, (0, 1)))


def test_a_window_is_made_of_whole_chunks_at_other_borders_each_epoch():
    borders = set()
    for epoch in range(1, 9):
        for part in windows(2000, (0, epoch), 300):
            places = np.sort(part.numpy())
            apart = np.flatnonzero(np.diff(places) > 1) + 1
            for some in np.split(places, apart):
                inner = some[0] > 0 and some[-1] < 1999
                assert len(some) % CHUNK == 0 or not inner
            borders |= {int(places[i]) % CHUNK for i in apart}
    assert len(borders) > 4


def test_where_a_sample_comes_says_little_of_where_it_stands():
    """Of independent chunks, correlations of rank have the deviation 1 / sqrt(chunks)."""
    count, window = 20000, 2000
    found = []
    for epoch in range(20):
        place = np.argsort(permutation(count, (0, epoch), window).numpy())
        found.append(spearmanr(place, np.arange(count)).statistic)
    deviation = 1 / math.sqrt(count / CHUNK)
    assert np.abs(found).max() < 4 * deviation
    assert abs(np.mean(found)) < 4 * deviation / math.sqrt(len(found))


def accuracy(order, x, y, fresh):
    """Train a linear model by SGD, batch by batch; accuracy on fresh samples of the same labels."""
    model = torch.zeros(x.shape[1], int(y.max()) + 1, requires_grad=True)
    for epoch in range(1, 4):
        for rows in torch.split(order(epoch), 32):
            loss = torch.nn.functional.cross_entropy(x[rows] @ model, y[rows])
            (gradient,) = torch.autograd.grad(loss, model)
            with torch.no_grad():
                model -= 0.5 * gradient
    return float(((fresh @ model).argmax(1) == y).float().mean())


def test_a_set_sorted_by_class_is_learned_as_well_as_fully_shuffled():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(6).repeat_interleave(1000)
    centres = 0.5 * torch.randn(6, 20, generator=generator)
    x, fresh = (centres[y] + torch.randn(len(y), 20, generator=generator) for _ in range(2))
    full, windowed = (
        [
            accuracy(lambda epoch, s=s, w=w: permutation(len(y), (s, epoch), w), x, y, fresh)
            for s in range(6)
        ]
        for w in (None, 1024)
    )
    noise = math.sqrt((np.var(full, ddof=1) + np.var(windowed, ddof=1)) / 6)
    assert abs(np.mean(full) - np.mean(windowed)) < 3 * noise
    assert accuracy(lambda epoch: torch.arange(len(y)), x, y, fresh) < np.mean(windowed) - 0.1


def test_memory_and_file_give_the_same_and_an_epoch_goes_on_in_its_middle():
    train = toy_data.splits(400)["train"]

    def epoch(resident, start=0):
        return list(data(resident, 70).shuffled(train, 16, (0, 2), start))

    whole = epoch(1.0)
    assert sorted(torch.cat([b.rows for b in whole]).tolist()) == train.tolist()
    for start in (0, 1, 4, 7, len(whole) - 1):
        for one, two in zip(whole[start:], epoch(0.0, start), strict=True):
            assert torch.equal(one.rows, two.rows)
            assert all(torch.equal(one.inputs[m], two.inputs[m]) for m in one.inputs)


def test_the_order_of_the_epoch_is_that_of_its_batches():
    source, train = data(0.0, 70), toy_data.splits(400)["train"]
    batches = source.shuffled(train, 16, (0, 2))
    assert torch.cat([b.rows for b in batches]).tolist() == source.order(train, (0, 2)).tolist()


class Counting(toy_data.MemoryStore):
    """Counts reads and rows."""

    reads = 0
    read_rows = 0

    def rows(self, modality, start, stop):
        self.reads += 1
        self.read_rows += stop - start
        return super().rows(modality, start, stop)


def test_a_windowed_epoch_reads_runs_and_a_full_shuffle_single_rows():
    count, size = 3000, 32
    reads = {}
    for window in (None, 600):
        store = Counting(("audio",), count=count)
        rows = np.arange(count)
        made = Data(store, dict.fromkeys(("train", "val", "test"), rows), CPU, 0.0, window=window)
        store.reads = store.read_rows = 0
        assert sum(len(b.rows) for b in made.shuffled(rows, size, (0, 1))) == count
        reads[window] = store.reads
        assert store.read_rows < 2 * count
    parts = -(-count // 600)
    assert reads[600] <= count / CHUNK + parts * (
        2 * size + 2
    )  # and what a batch needs of the next
    assert reads[None] > 0.8 * count


def test_spans_end_where_the_window_changes():
    parts = windows(1000, (0, 1), 200)
    batches = arranged(1000, 32, (0, 1), Plan(), 200)
    ends = spans(batches, parts)
    assert ends[-1] == len(batches) and ends == sorted(set(ends))
    assert len(ends) == len(parts)
    alternating = Plan(groups=np.arange(1000) % 3, alternate=True)
    batches = arranged(1000, 32, (0, 1), alternating, 200)
    assert spans(batches, parts)[-1] == len(batches)
    assert Counter(torch.cat(batches).tolist()) == Counter(range(1000))


def test_runs_take_small_gaps_along():
    assert runs(np.array([9, 3, 4, 3, 5 + GAP])) == [(3, 6 + GAP)]
    assert runs(np.array([0, GAP + 2])) == [(0, 1), (GAP + 2, GAP + 3)]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A store of 300 samples: pictures as JPEG, sound as numbers."""
    folder = tmp_path_factory.mktemp("packed")
    arrays, labels = toy_data.arrays(("audio", "video"), 300)
    shape = arrays["video"].shape[1:]
    video = joined([Jpeg(90).pack(one) for one in arrays["video"]], shape)
    none = np.zeros(0, np.int64)
    audio = {"audio": arrays["audio"]}
    shards.write(
        folder / "0.npz", shards.Shard(np.arange(300), audio, none, [], "", {}, {"video": video})
    )
    names = [f"s{n}" for n in range(300)]
    attributes = {
        "schema_version": 2,
        "classes": json.dumps(toy_data.CLASSES),
        "modalities": json.dumps({m: toy_data.TABLES[m] for m in ("audio", "video")}),
    }
    shapes = {"video": (shape, "jpeg"), "audio": (arrays["audio"].shape[1:], "float16")}
    plan = StorePlan(shapes, labels.tolist(), names, names, attributes)
    join(folder / "features.h5", [(folder / "0.npz", 300)], plan)
    with FeatureStore(folder / "features.h5") as store:
        yield store


def test_packed_samples_are_held_packed_and_come_out_the_same(packed):
    rows = np.array([299, 0, 17, 18, 17])
    for threads in (1, 3):
        held = Held(packed, "video", rows)
        expected = np.stack([packed.row("video", row) for row in rows])
        assert np.array_equal(held.take(rows, threads), expected)
    assert packed.nbytes("video") == len(packed.packed("video", 0, 300).data)
    assert packed.packed("audio", 0, 2) is None


def test_the_smallest_of_three_ways_into_memory_is_taken(packed):
    plain = sum(packed.rows(m, 0, 300).nbytes for m in packed.modalities) / 2**30
    stored = sum(packed.nbytes(m) for m in packed.modalities) / 2**30
    taken = [
        type(open_source(packed, packed.modalities, CPU, gib))
        for gib in (plain, stored * 1.01, stored * 0.99)
    ]
    expected = [Resident, Compact, Rows] if stored < plain else [Resident, Resident, Resident]
    assert taken == expected
    batches = list(torch.split(torch.randperm(300), 32))
    for made in (Compact, Rows):
        source = made(packed, packed.modalities, CPU)
        for ends in ((), (3, len(batches))):
            both = zip(
                Resident(packed, packed.modalities, CPU).batches(batches),
                source.batches(batches, ends),
                strict=True,
            )
            for one, two in both:
                assert all(torch.equal(one[m], two[m]) for m in one)


WINDOWED = toy_data.TRAIN.model_copy(update={"epochs": 3, "shuffle_window": 64})
FROM_FILE = {"resident_gib": 0.0}
SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import processes
processes.windows()
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project(count=300)  # 180 train: three windows, 12 batches


def trained(**runtime):
    return toy_data.run_train("joint", train=WINDOWED, runtime=runtime)


def test_a_killed_training_in_windows_goes_on_to_the_same_bytes(project):
    expected = toy_data.contents(trained())
    assert toy_data.contents(trained(**FROM_FILE)) == expected
    full = WINDOWED.model_copy(update={"shuffle_window": None})
    assert toy_data.contents(toy_data.run_train("joint", train=full)) != expected
    for path in layout.train("toy", "joint", "0").values():
        path.unlink()
    script = [sys.executable, "-c", SCRIPT.format(tests=str(Path(toy_data.__file__).parent))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "EQUIPOISE_FAULT_AT": "step:19"}
    assert subprocess.run(script, env=environment).returncode == -signal.SIGKILL
    assert list(layout.state("train").rglob("00002-00000007"))
    assert toy_data.contents(trained(**FROM_FILE)) == expected


@pytest.mark.slow
def test_two_processes_train_on_the_same_windows(project):
    alone = toy_data.history(trained(**FROM_FILE))
    for path in layout.train("toy", "joint", "0").values():
        path.unlink()
    done = processes.run(2, "windows")
    assert done.returncode == 0, done.stderr
    for one, two in zip(alone, toy_data.history(layout.train("toy", "joint", "0")), strict=True):
        assert float(two["train_loss"]) == pytest.approx(float(one["train_loss"]), rel=1e-3)
