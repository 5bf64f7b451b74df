"""The Shapley value against all orders of arrival, on tensors and on plain numbers."""

from itertools import permutations

import numpy as np
import pytest
import torch

from equipoise.coalitions import Coalition, coalitions, shapley


def random_game(names, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        s: torch.randn(2, 3, generator=generator, dtype=torch.float64)
        for s in coalitions(list(names))
    }


@pytest.mark.parametrize("names", ["a", "av", "avi", "avit"])
def test_the_shapley_value_is_the_mean_gain_over_all_orders_of_arrival(names):
    values = random_game(names)
    got = shapley(values)
    for m in names:
        gains = []
        for order in permutations(names):
            before = frozenset(order[: order.index(m)])
            gain = values[before | {m}] - (values[before] if before else 0)
            gains.append(gain.numpy())
        np.testing.assert_allclose(got[m], np.mean(gains, axis=0), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(sum(got.values()), values[frozenset(names)])


def test_the_shapley_value_of_two_is_the_formula_of_the_paper():
    values = random_game("av")
    both, a, v = (values[frozenset(s)] for s in ("av", "a", "v"))
    torch.testing.assert_close(shapley(values)["a"], (both - v + a) / 2)
    torch.testing.assert_close(shapley(values)["v"], (both - a + v) / 2)


def test_equal_modalities_share_equally_and_one_that_adds_nothing_gets_nothing():
    one = torch.ones(1, 2)
    values = {s: float(len(s - {"i"})) * one for s in coalitions(["a", "v", "i"])}
    shares = shapley(values)
    torch.testing.assert_close(shares["a"], one)
    torch.testing.assert_close(shares["v"], one)
    torch.testing.assert_close(shares["i"], 0 * one)


def test_plain_numbers_and_an_empty_coalition_that_is_worth_something():
    values = {"": 0.1, "a": 0.7, "v": 0.4, "av": 0.9}
    shares = shapley({frozenset(s): v for s, v in values.items()})
    assert shares == pytest.approx({"a": (0.6 + 0.5) / 2, "v": (0.3 + 0.2) / 2})
    assert sum(shares.values()) == pytest.approx(0.9 - 0.1)
    assert shapley({Coalition(): 0.1, frozenset("a"): 0.7}) == pytest.approx({"a": 0.6})
