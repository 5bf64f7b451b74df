"""Ranks against the example of Demsar (2006), signed-rank probabilities against closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from equipoise.evaluation.ranks import Ranks, common, ranks, signed_rank

NAMES = ("C4.5", "m", "cf", "m+cf")
#: Table 6 of Demsar: AUC of four trees on 14 data sets. Of voting, the paper ranks m+cf behind cf.
AUC = """
.763 .768 .771 .798
.599 .591 .590 .569
.954 .971 .968 .967
.628 .661 .654 .657
.882 .888 .886 .898
.936 .931 .916 .931
.661 .668 .609 .685
.583 .583 .563 .625
.775 .838 .866 .875
1.0 1.0 1.0 1.0
.940 .962 .965 .962
.619 .666 .614 .669
.972 .981 .975 .9749
.957 .978 .946 .970
"""
DEMSAR = {
    f"set {number}": dict(zip(NAMES, map(float, line.split()), strict=True))
    for number, line in enumerate(AUC.split("\n")[1:-1])
}


def test_demsars_example():
    found = ranks(DEMSAR, 0.95)
    means = {"m+cf": 1.964, "m": 2.0, "cf": 2.893, "C4.5": 3.143}
    assert list(found.mean) == list(means)
    assert found.mean == pytest.approx(means, abs=5e-4)
    assert found.datasets == 14
    # 2.569 sqrt(4 * 5 / (6 * 14)) = 1.25, and F = 3.69 with 3 and 39 degrees of freedom.
    assert found.critical == pytest.approx(2.569 * math.sqrt(20 / 84), abs=5e-4)
    assert found.p_value == pytest.approx(stats.f.sf(3.69, 3, 39), abs=2e-4)
    assert ranks(DEMSAR, 0.90).critical == pytest.approx(2.291 * math.sqrt(20 / 84), abs=5e-4)


@pytest.mark.parametrize(("k", "q"), [(3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_values_are_those_of_his_table_5a(k, q):
    scores = {d: {f"m{i}": float(i) for i in range(k)} for d in ("a", "b")}
    assert ranks(scores, 0.95).critical == pytest.approx(q * math.sqrt(k * (k + 1) / 12), abs=4e-3)


def test_friedman_equals_scipys():
    table = np.random.default_rng(2).normal(size=(6, 5))
    scores = {
        f"d{i}": {f"m{j}": float(v) for j, v in enumerate(row)} for i, row in enumerate(table)
    }
    chi = stats.friedmanchisquare(*table.T).statistic
    expected = stats.f.sf(5 * chi / (6 * 4 - chi), 4, 20)
    assert ranks(scores, 0.95).p_value == pytest.approx(expected)


def test_the_same_order_everywhere_leaves_friedman_undefined():
    scores = {d: {"x": 0.9, "y": 0.8, "z": 0.7} for d in "abc"}
    assert ranks(scores, 0.95).p_value is None
    assert ranks(scores, 0.95).mean == {"x": 1.0, "y": 2.0, "z": 3.0}


def test_methods_that_a_data_set_lacks_are_left_out():
    scores = {"a": {"x": 0.9, "y": 0.8, "z": 0.7}, "b": {"x": 0.9, "y": 0.8}}
    assert common(scores)["a"] == {"x": 0.9, "y": 0.8}
    assert ranks(scores, 0.95) is None
    assert ranks({"a": scores["a"]}, 0.95) is None
    assert ranks({}, 0.95) is None


def test_groups_are_the_longest_runs_within_the_critical_difference():
    found = Ranks({"a": 1.0, "b": 1.8, "c": 2.5, "d": 4.7}, 1.0, None, 9)
    assert found.groups() == [["a", "b"], ["b", "c"]]
    assert Ranks({"a": 1.0, "b": 1.5, "c": 1.6}, 1.0, None, 9).groups() == [["a", "b", "c"]]


@pytest.mark.parametrize("count", [1, 3, 6])
def test_differences_on_one_side_have_a_closed_form(count):
    """All pairs but that of the pseudo-observation with itself are above: its weight is w0^2.

    w0 has the distribution Beta(0.5, count); above wins where w0^2 < 1/2.
    """
    expected = stats.beta.cdf(math.sqrt(0.5), 0.5, count)
    found = signed_rank([0.1] * count)
    error = 5 * math.sqrt(expected * (1 - expected) / 50_000)
    assert found.better == pytest.approx(expected, abs=error)
    assert found.worse == 0 and found.better + found.same == pytest.approx(1)
    turned = signed_rank([-0.1] * count)
    assert (turned.worse, turned.better) == (found.better, 0)


def test_small_differences_are_the_same_and_opposite_ones_cancel():
    assert signed_rank([0.004, -0.009, 0.01]).same == 1
    found = signed_rank([0.2, -0.2])
    assert found.worse == pytest.approx(found.better, abs=5 * math.sqrt(0.5 / 50_000))
    # Mean pairs: 0 with 0 and 0.2 with -0.2 within, so that neither side has certainty.
    assert 0 < found.same < 1


def test_it_is_the_same_every_time():
    assert signed_rank([0.03, -0.02, 0.01]) == signed_rank([0.03, -0.02, 0.01])
