"""Valuation by counting cases, copies, and the entries of an epoch."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small import model32

from equipoise.coalitions import coalitions
from equipoise.methods.base import create
from equipoise.methods.smv.method import amount, copies, enlarged, values

A, V, AV = (frozenset(names) for names in ("a", "v", "av"))

#: a, v, all right? -> phi_a, phi_v; copies of a, of v
CASES = [
    ((0, 0, 0), (0, 0), (2, 2)),
    ((0, 0, 1), (1, 1), (0, 0)),
    ((0, 1, 0), (-0.5, 0.5), (3, 1)),
    ((0, 1, 1), (0.5, 1.5), (1, 0)),
    ((1, 0, 0), (0.5, -0.5), (1, 3)),
    ((1, 0, 1), (1.5, 0.5), (0, 1)),
    ((1, 1, 0), (0, 0), (2, 2)),
    ((1, 1, 1), (1, 1), (0, 0)),
]


def test_all_eight_cases_of_two_modalities():
    right = torch.tensor([case for case, _, _ in CASES], dtype=torch.bool)
    phi = values({A: right[:, 0], V: right[:, 1], AV: right[:, 2]})
    assert torch.stack([phi["a"], phi["v"]], 1).tolist() == [list(v) for _, v, _ in CASES]
    found = torch.stack([copies(phi["a"]), copies(phi["v"])], 1)
    assert found.tolist() == [list(c) for _, _, c in CASES]


def test_three_modalities_where_one_alone_knows():
    """v is |S| for the sets with modality a, else 0: phi = (2, 1/2, 1/2), in all 3 = v(all)."""
    sets = coalitions("abc")
    phi = values({names: torch.tensor(["a" in names]) for names in sets})
    assert {m: value.item() for m, value in phi.items()} == {"a": 2.0, "b": 0.5, "c": 0.5}
    together = values({names: torch.tensor([len(names) == 3]) for names in sets})
    assert [copies(value).item() for value in together.values()] == [0, 0, 0], "1 is not below 1"


def test_values_of_a_sample_add_up_to_what_all_together_are_worth():
    generator = torch.Generator().manual_seed(0)
    right = {names: torch.rand(200, generator=generator) < 0.5 for names in coalitions("abcd")}
    total = sum(values(right).values())
    expected = 4 * right[frozenset("abcd")].double()
    torch.testing.assert_close(total, expected, atol=1e-5, rtol=0)


def test_the_entries_are_the_samples_and_copies_that_keep_one_modality():
    extra = {"a": np.array([7, 7]), "v": np.array([3])}
    rows, keep = enlarged(np.array([3, 7, 9]), extra)
    found = Counter(zip(rows.tolist(), keep["a"].tolist(), keep["v"].tolist(), strict=True))
    whole = {(row, True, True): 1 for row in (3, 7, 9)}
    assert found == {**whole, (7, True, False): 2, (3, False, True): 1}
    nothing = {"a": extra["a"][:0], "v": extra["v"][:0]}
    rows, keep = enlarged(np.array([3, 7, 9]), nothing)
    assert rows.tolist() == [3, 7, 9] and all(mask.all() for mask in keep.values())


def test_how_many_samples_the_modality_level_adds():
    """g = 1 - c = (0.1, 0.7): 2/3 * 0.6 = 0.4 of 1000."""
    assert amount({"a": 0.9, "v": 0.3}, 1.0, 1000) == ("v", 400)
    assert amount({"a": 0.3, "v": 0.9}, 0.5, 1000) == ("a", 200)
    assert amount({"a": 0.5, "v": 0.5}, 1.0, 1000)[1] == 0
    assert amount({"a": 0.2, "b": 0.5, "c": 0.8}, 1.0, 10) == ("a", 4)


#: What the fusion predicts of samples 4, 5, 6, 7 (labels 0, 1, 0, 1) from a, from v, from both.
PREDICTED = {A: [0, 0, 1, 1], V: [1, 1, 1, 1], AV: [0, 1, 1, 1]}


def plugin(variant, seed=0, **options):
    """A plug-in whose run gives four samples, one after the other, with scripted predictions."""
    net = model32(modalities=("a", "v"))
    method = create(f"smv-{variant}", {"warmup_epochs": 2, **options})

    def classify(features):
        at = int(next(iter(features.values()))[0, 0])
        guess = torch.tensor([PREDICTED[frozenset(features)][at]])
        return SimpleNamespace(logits=torch.nn.functional.one_hot(guess, 2).float())

    def outputs(rows):
        for row in rows.tolist():
            feature = torch.full((1, 4), float(row - 4))
            features = {"a": feature, "v": feature}
            yield SimpleNamespace(features=features), torch.tensor([row % 2])

    data = SimpleNamespace(splits={"train": np.array([4, 5, 6, 7])})
    model = SimpleNamespace(modalities=net.modalities, classify=classify)
    method.attach(model, {})
    method.setup(SimpleNamespace(model=model, data=data, outputs=outputs, first_epoch=3, seed=seed))
    return method


def test_the_epochs_after_the_warm_up_hold_the_copies_that_the_values_call_for():
    """Cases of the samples (a, v, both): 101, 011, 000, 111 -> copies 0 1, 1 0, 2 2, 0 0."""
    method = plugin("sample_level")
    for epoch in (3, 4):
        assert method.on_epoch_start(epoch).rows is None
        assert set(method.on_epoch_end(epoch, {}).values()) == {0.0, 1.0}
    plan = method.on_epoch_start(5)
    found = Counter(
        zip(plan.rows.tolist(), *(plan.keep[m].tolist() for m in ("a", "v")), strict=True)
    )
    assert found == {
        **{(row, True, True): 1 for row in (4, 5, 6, 7)},
        (4, False, True): 1,
        (5, True, False): 1,
        (6, True, False): 2,
        (6, False, True): 2,
    }
    assert method.on_epoch_end(5, {}) == {
        "copies_a": 3.0,
        "copies_v": 3.0,
        "value_a": (1.5 + 0.5 + 0 + 1) / 4,
        "value_v": (0.5 + 1.5 + 0 + 1) / 4,
    }


def test_the_modality_level_adds_samples_of_the_weaker_modality_by_seed_and_epoch(monkeypatch):
    """Cases 101, 111, 101, 111: phi_a - phi_v is 1, 0, 1, 0; k of the 4 drawn samples have 1.

    9 * 2/3 * k/4 * 4 = 6 k samples are added, for modality v.
    """
    monkeypatch.setitem(PREDICTED, A, [0, 1, 0, 1])
    monkeypatch.setitem(PREDICTED, AV, [0, 1, 0, 1])
    method = plugin("modality_level", part_ratio=1.0, alpha=9.0)
    plan = method.on_epoch_start(5)
    report = method.on_epoch_end(5, {})
    k = round(4 * (report["value_a"] - report["value_v"]))
    assert k in (1, 2, 3, 4) and (report["copies_a"], report["copies_v"]) == (0, 6 * k)
    assert plan.rows[:4].tolist() == [4, 5, 6, 7] and set(plan.rows[4:]) <= {4, 5, 6, 7}
    assert len(plan.rows) == len(plan.keep["a"]) == 4 + 6 * k
    assert plan.keep["v"].all() and plan.keep["a"].tolist() == [True] * 4 + [False] * 6 * k
    again = plugin("modality_level", part_ratio=1.0, alpha=9.0).on_epoch_start(5)
    assert np.array_equal(again.rows, plan.rows)
    later = [method.on_epoch_start(epoch).rows.tolist() for epoch in (6, 7, 8)]
    assert any(rows != plan.rows.tolist() for rows in later)


def test_samples_that_all_sets_predict_right_leave_an_epoch_as_it_is(monkeypatch):
    monkeypatch.setitem(PREDICTED, A, [0, 1, 0, 1])
    monkeypatch.setitem(PREDICTED, V, [0, 1, 0, 1])
    monkeypatch.setitem(PREDICTED, AV, [0, 1, 0, 1])
    for variant in ("sample_level", "modality_level"):
        plan = plugin(variant).on_epoch_start(5)
        assert plan.rows.tolist() == [4, 5, 6, 7]
        assert all(mask.all() for mask in plan.keep.values())


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 1.0, 1.5])
def test_the_less_a_modality_is_worth_the_more_copies(phi):
    steps = torch.tensor([phi, phi + 0.5])
    more, fewer = copies(steps).tolist()
    assert more >= fewer
