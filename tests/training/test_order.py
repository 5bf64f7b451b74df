"""Entries of an epoch: order, groups that no batch crosses, kept modalities."""

import io
from collections import Counter

import numpy as np
import pytest
import torch
import toy_data

from equipoise.methods.base import Plan
from equipoise.training.data import Data
from equipoise.training.order import arranged, cut, permutation

SEED = (0, 1)


def lists(batches):
    return [batch.tolist() for batch in batches]


def groups(*numbers):
    return np.array(numbers, dtype=np.int64)


def test_a_lonely_last_sample_joins_the_batch_before():
    assert [len(b) for b in cut(torch.arange(33), 16)] == [16, 17]
    assert [len(b) for b in cut(torch.arange(34), 16)] == [16, 16, 2]
    assert [len(b) for b in cut(torch.arange(1), 16)] == [1]


def test_without_a_plan_the_permutation_is_cut():
    order = permutation(10, SEED).tolist()
    assert lists(arranged(10, 4, SEED, Plan())) == [order[:4], order[4:8], order[8:]]
    assert sorted(order) == list(range(10)) and order != permutation(10, (0, 2)).tolist()


def test_no_batch_crosses_a_group_and_the_lowest_comes_first():
    plan = Plan(groups=groups(7, 0, 7, 0, 0, 7, 7))
    batches = lists(arranged(7, 2, SEED, plan))
    assert [len(b) for b in batches] == [3, 2, 2]  # three of group 0: the lonely one joins
    assert [{int(plan.groups[i]) for i in b} for b in batches] == [{0}, {7}, {7}]
    assert sorted(i for b in batches for i in b) == list(range(7))
    order = permutation(7, SEED).tolist()
    assert batches[0] == [i for i in order if plan.groups[i] == 0]
    assert lists(arranged(7, 2, (0, 3), plan)) != batches


def test_groups_take_turns_until_the_last_is_through():
    plan = Plan(groups=groups(0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2), alternate=True, ordered=True)
    expected = [[0, 1], [6, 7], [8, 9], [2, 3], [10, 11], [4, 5]]
    assert lists(arranged(12, 2, SEED, plan)) == expected


def test_ordered_entries_come_as_they_stand():
    assert lists(arranged(5, 2, SEED, Plan(ordered=True))) == [[0, 1], [2, 3, 4]]
    plan = Plan(ordered=True, groups=groups(1, 0, 1, 0))
    assert lists(arranged(4, 2, SEED, plan)) == [[1, 3], [0, 2]]


def test_a_group_for_each_entry_or_an_error():
    with pytest.raises(ValueError, match="3 groups for 4 entries"):
        arranged(4, 2, SEED, Plan(groups=groups(0, 0, 1)))


def toy(resident=1.0):
    cpu = torch.device("cpu")
    augment = {"video": {"shift": 2}}
    return Data(toy_data.MemoryStore(), toy_data.splits(), cpu, resident, augment=augment)


ROWS = np.array([3, 3, 3, 8, 8, 21, 40], dtype=np.int64)
KEEP = {
    "audio": np.array([1, 1, 0, 1, 0, 1, 0], dtype=bool),
    "video": np.array([1, 0, 1, 1, 1, 1, 1], dtype=bool),
}
ENTRIES = Counter(zip(ROWS.tolist(), KEEP["audio"].tolist(), KEEP["video"].tolist(), strict=True))


@pytest.mark.parametrize("resident", [1.0, 0.0], ids=["memory", "file"])
@pytest.mark.parametrize("start", [0, 1, 2])
def test_a_mask_follows_its_entry_wherever_it_is_shuffled(start, resident):
    plan = Plan(keep=KEEP, groups=groups(0, 1, 0, 1, 0, 1, 0))
    whole = list(toy(resident).shuffled(ROWS, 2, SEED, plan=plan))
    found = Counter()
    for batch in whole:
        columns = [batch.rows, batch.keep["audio"], batch.keep["video"]]
        found.update(zip(*(column.tolist() for column in columns), strict=True))
    assert found == ENTRIES
    part = list(toy(resident).shuffled(ROWS, 2, SEED, start, plan))
    assert len(part) == len(whole) - start
    for one, two in zip(whole[start:], part, strict=True):
        assert torch.equal(one.rows, two.rows)
        for m in KEEP:
            assert torch.equal(one.keep[m], two.keep[m])
            assert torch.equal(one.inputs[m], two.inputs[m])


def test_a_mask_for_each_entry_or_an_error():
    plan = Plan(keep={m: kept[:-1] for m, kept in KEEP.items()})
    with pytest.raises(ValueError, match="does not say of 7 entries what to keep"):
        next(toy().shuffled(ROWS, 2, SEED, plan=plan))


def test_a_plan_comes_back_from_a_checkpoint():
    plan = Plan(ROWS, 0.5, "x", False, KEEP, groups(*range(7)), alternate=True, ordered=True)
    file = io.BytesIO()
    torch.save([plan.state_dict(), Plan().state_dict()], file)
    file.seek(0)
    full, empty = map(Plan.of_state, torch.load(file, weights_only=True))
    assert empty == Plan()
    assert np.array_equal(full.rows, ROWS) and np.array_equal(full.groups, np.arange(7))
    assert all(np.array_equal(full.keep[m], KEEP[m]) for m in KEEP)
    assert full.keep["audio"].dtype == bool
    assert (full.learning_rate, full.phase, full.selectable) == (0.5, "x", False)
    assert full.alternate and full.ordered
