"""Splits, order, batches, and that memory and file give the same."""

import numpy as np
import pytest
import torch
import toy_data

from equipoise.errors import UserError
from equipoise.training.data import Data, read_split
from equipoise.training.source import Resident, Rows, open_source

CPU = torch.device("cpu")
IDS = ["a", "b", "c", "d"]
VARIED = {"video": {"shift": 2}, "audio": {"mask_time": 0.9}}


def write(tmp_path, *lines):
    path = tmp_path / "split.csv"
    path.write_text("\n".join(["sample_id,subset", *lines]) + "\n")
    return path


def data(modalities=("audio", "video"), resident=1.0, augment=None, **store):
    features = toy_data.MemoryStore(modalities, **store)
    return Data(features, toy_data.splits(), CPU, resident, augment=augment)


def test_a_split_becomes_ascending_rows(tmp_path):
    rows = read_split(write(tmp_path, "d,train", "b,val", "a,train", "c,test"), IDS)
    assert {name: part.tolist() for name, part in rows.items()} == {
        "train": [0, 3],
        "val": [1],
        "test": [2],
    }


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["x,train"], r"split\.csv:2: sample 'x' is not among the features"),
        (["a,training"], r"split\.csv:2: subset 'training' is unknown"),
        (["a,train", "a,val"], "twice"),
        (["a,train", "b,test"], "no sample in 'val'"),
        (["a,val"], "no sample in 'train'"),
    ],
)
def test_a_wrong_split_is_named_with_its_line(tmp_path, lines, says):
    with pytest.raises(UserError, match=says):
        read_split(write(tmp_path, *lines), IDS)


def test_a_missing_split_names_the_stage(tmp_path):
    with pytest.raises(UserError, match="run stage split first"):
        read_split(tmp_path / "split.csv", IDS)


def test_an_epoch_visits_every_sample_once_in_an_order_of_its_own():
    source, train = data(), toy_data.splits()["train"]

    def rows(seed):
        batches = source.shuffled(train, 8, seed)
        return torch.cat([batch.rows for batch in batches]).tolist()

    assert sorted(rows((0, 1))) == train.tolist()
    assert rows((0, 1)) == rows((0, 1))
    assert len({tuple(rows((seed, epoch))) for seed in (0, 1) for epoch in (1, 2)}) == 4
    assert rows((0, 1)) == source.order(train, (0, 1)).tolist()


@pytest.mark.parametrize("start", [0, 1, 3, 5])
def test_starting_within_an_epoch_gives_the_rest_of_it(start):
    train = toy_data.splits()["train"]

    def batches(first):
        return list(data(augment=VARIED).shuffled(train, 8, (0, 3), first))

    for whole, part in zip(batches(0)[start:], batches(start), strict=True):
        assert torch.equal(whole.rows, part.rows)
        for m in whole.inputs:
            assert torch.equal(whole.inputs[m], part.inputs[m])


def test_a_batch_holds_the_samples_it_names():
    source, store = data(), toy_data.MemoryStore()
    batch = next(source.ordered(np.array([7, 3, 50]), 3))
    assert batch.rows.tolist() == [7, 3, 50]
    assert batch.labels.tolist() == store.labels[[7, 3, 50]].tolist()
    norm = source.streams.normalisation["audio"]
    expected = (store.arrays["audio"][3].astype(np.float64) - norm.mean[0]) / norm.std[0]
    np.testing.assert_allclose(batch.inputs["audio"][1], expected, atol=1e-5)


def test_normalisation_is_that_of_the_training_split_alone():
    source, store = data(), toy_data.MemoryStore()
    train = store.arrays["video"][toy_data.splits()["train"]].reshape(-1, 3)
    np.testing.assert_allclose(source.streams.normalisation["video"].mean, train.mean(0), rtol=1e-5)


def test_augmentation_changes_training_batches_only():
    train = toy_data.splits()["train"]
    plain = next(data().shuffled(train, 8, (0, 1)))
    changed = next(data(augment=VARIED).shuffled(train, 8, (0, 1)))
    assert torch.equal(plain.rows, changed.rows)
    for m in ("audio", "video"):
        assert not torch.equal(plain.inputs[m], changed.inputs[m])
    again = next(data(augment=VARIED).shuffled(train, 8, (0, 1)))
    assert torch.equal(again.inputs["video"], changed.inputs["video"])


def test_rows_from_the_file_equal_rows_from_memory():
    store = toy_data.MemoryStore()
    batches = list(torch.split(torch.randperm(60), 16))
    resident = list(Resident(store, store.modalities, CPU).batches(batches))
    rows = list(Rows(store, store.modalities, CPU).batches(batches))
    assert len(rows) == len(resident) == 4
    for a, b in zip(resident, rows, strict=True):
        assert all(torch.equal(a[m], b[m]) for m in store.modalities)
    assert list(Rows(store, store.modalities, CPU).batches([])) == []


def test_the_limit_decides_between_memory_and_file():
    store = toy_data.MemoryStore()
    gib = sum(array.nbytes for array in store.arrays.values()) / 2**30
    assert isinstance(open_source(store, store.modalities, CPU, gib * 1.01), Resident)
    assert isinstance(open_source(store, store.modalities, CPU, gib * 0.99), Rows)


def test_stopping_early_ends_the_reading_thread():
    import threading

    store = toy_data.MemoryStore()
    stream = Rows(store, store.modalities, CPU).batches(list(torch.split(torch.arange(60), 8)))
    next(stream)
    stream.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("features")]
