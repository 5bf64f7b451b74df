from collections import Counter

import numpy as np
import pytest

from equipoise.data.splits import Samples, assign, leaks, resolve
from equipoise.errors import UserError
from equipoise.params import Split


def samples(count=200, classes=4, groups=20, official=None, seed=0):
    random = np.random.default_rng(seed)
    labels = [f"c{n}" for n in random.integers(0, classes, count)]
    names = [f"g{n}" for n in random.integers(0, groups, count)] if groups else [""] * count
    return Samples([f"s{n}" for n in range(count)], labels, names, official or [""] * count)


def settings(protocol, **options):
    return Split(protocol=protocol, val_fraction=0.15, test_fraction=0.2, **options)


def test_leaks_by_hand():
    assert leaks(["train", "test", "train", "val"], ["a", "a", "b", ""]) == ["a"]
    assert leaks(["train", "train", "test", "val"], ["a", "a", "b", "c"]) == []
    assert leaks(["train", "test"], ["", ""]) == []  # nobody's


def test_auto_takes_what_the_manifest_offers():
    given = ["train", "val", "test", "train"] * 50
    for data, protocol in (
        (samples(official=given), "official"),
        (samples(), "group_disjoint"),
        (samples(groups=0), "random"),
    ):
        assert resolve(data, settings("auto")).protocol == protocol
        assert resolve(data, settings("random")).protocol == "random"


def test_auto_refuses_a_column_filled_in_part():
    given = ["train", "val", "test", "train"] * 50
    with pytest.raises(UserError, match="1 samples have no split in the manifest, first 's199'"):
        resolve(samples(official=[*given[1:], ""]), settings("auto"))
    data = samples()
    data.groups[7] = ""
    with pytest.raises(UserError, match="1 samples have no group in the manifest, first 's7'"):
        resolve(data, settings("auto"))


def test_random_takes_the_fractions_of_each_class():
    data = samples(groups=0)
    subset, origin = assign(data, settings("random"))
    assert origin == "classes"
    total = Counter(data.labels)
    for side, fraction in (("val", 0.15), ("test", 0.2)):
        have = Counter(c for c, s in zip(data.labels, subset, strict=True) if s == side)
        for label, count in total.items():
            assert abs(have[label] - fraction * count) <= 0.5


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together_and_fractions_come_near(seed):
    data = samples(seed=seed)
    subset, _ = assign(data, settings("group_disjoint", seed=seed))
    assert leaks(subset, data.groups) == []
    total = Counter(data.labels)
    for side, fraction in (("train", 0.65), ("val", 0.15), ("test", 0.2)):
        count = subset.count(side)
        assert abs(count / len(subset) - fraction) < 0.05
        have = Counter(c for c, s in zip(data.labels, subset, strict=True) if s == side)
        for label in total:  # class balance: within 15 points of its share of the part
            assert abs(have[label] / count - total[label] / len(subset)) < 0.15


@pytest.mark.parametrize("sizes", [(2, 2, 2, 2, 2), (4, 4, 4), (9, 2, 1), (1, 3, 3, 40)])
def test_groups_of_one_class_each(sizes):
    groups = [f"c{c}g{g}" for c in range(10) for g, size in enumerate(sizes) for _ in range(size)]
    labels = [group[:2] for group in groups]
    data = Samples([str(n) for n in range(len(groups))], labels, groups, [""] * len(groups))
    subset, _ = assign(data, settings("group_disjoint"))
    assert leaks(subset, groups) == []
    assert {(s, c) for s, c in zip(subset, labels, strict=True)} == {
        (s, f"c{n}") for s in ("train", "val", "test") for n in range(10)
    }


@pytest.mark.parametrize("protocol", ["random", "group_disjoint"])
def test_deterministic_and_moved_by_the_seed(protocol):
    data = samples()
    first = assign(data, settings(protocol, seed=1))
    assert first == assign(data, settings(protocol, seed=1))
    assert first != assign(data, settings(protocol, seed=2))


def test_official_is_taken_as_it_is():
    column = ["train", "val", "test", "test"] * 50
    subset, origin = assign(samples(official=column), settings("official"))
    assert (subset, origin) == (column, "manifest")


@pytest.mark.parametrize(("groups", "origin"), [(20, "groups"), (0, "classes"), (1, "classes")])
def test_official_without_val_cuts_it_from_train(groups, origin):
    column = ["train"] * 150 + ["test"] * 50
    data = samples(groups=groups, official=column)
    subset, found = assign(data, settings("official"))
    assert found == origin
    assert subset[150:] == ["test"] * 50
    assert set(subset[:150]) == {"train", "val"}
    assert abs(subset.count("val") - 0.15 * 150) < 8
    if groups > 1:
        assert leaks(subset[:150], data.groups[:150]) == []


@pytest.mark.parametrize(
    ("data", "protocol", "message"),
    [
        (samples(groups=0), "group_disjoint", "200 samples have no group"),
        (samples(official=["train"] * 199 + [""]), "official", "1 samples have no split"),
        (samples(groups=2), "group_disjoint", "leaves no sample of class"),
        (samples(official=["train"] * 200), "official", "no sample of class 'c0' in test"),
        (
            Samples(["a", "b", "c", "d"], ["x", "x", "x", "y"], [""] * 4, [""] * 4),
            "random",
            "class 'y'",
        ),
    ],
)
def test_splits_that_cannot_be_made(data, protocol, message):
    with pytest.raises(UserError, match=message):
        assign(data, settings(protocol))


def test_fractions_that_leave_nothing():
    with pytest.raises(UserError, match="leave nothing for training"):
        assign(samples(), Split(protocol="random", val_fraction=0.5, test_fraction=0.5))
