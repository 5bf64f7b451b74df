"""Intervals and tests over training seeds.

All of them speak about the variation between training runs on one fixed split; the sampling of the
test clips themselves is a second source of doubt, see :func:`sampling_half_width`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean over ``n`` seeds with its confidence limits (None with fewer than two seeds)."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        """Half the length of the interval: the number behind ±."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Difference:
    """A paired difference with its interval and two-sided p-value (None where undefined)."""

    interval: Interval
    p_value: float | None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval exists and lies on one side of zero."""
        low, high = self.interval.low, self.interval.high
        return low is not None and high is not None and (low > 0 or high < 0)


def mean_interval(values: Sequence[float], level: float) -> Interval:
    """Mean and Student t-interval: mean ± t((1 + level) / 2, n - 1) s / sqrt(n).

    Args:
        values: One value for each seed, at least one.
        level: Level of the interval, 0 < level < 1.
    """
    from scipy.stats import t

    n = len(values)
    mean = float(np.mean(values))
    if n < 2:
        return Interval(mean, None, None, n)
    half = float(t.ppf((1 + level) / 2, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def paired_difference(
    values: Mapping[int, float], baseline: Mapping[int, float], level: float
) -> Difference:
    """Difference ``values - baseline``, seed by seed, with t-interval and paired t-test.

    Args:
        values: Seed to value; only seeds that the baseline has too are compared.
        baseline: Seed to value of the baseline.
        level: Level of the interval.

    Returns:
        The difference. Its p-value is None with fewer than two common seeds, and when all
        differences are the same (no variation, so the t statistic is undefined).

    Raises:
        ValueError: No common seed.
    """
    from scipy.stats import ttest_1samp

    seeds = sorted(values.keys() & baseline.keys())
    if not seeds:
        raise ValueError("no common seed")
    differences = np.array([values[seed] - baseline[seed] for seed in seeds])
    interval = mean_interval(differences.tolist(), level)
    constant = float(np.ptp(differences)) < 1e-12  # only rounding is left
    p_value = None if constant else float(ttest_1samp(differences, 0.0).pvalue)
    return Difference(interval, p_value)


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's step-down adjustment (Holm 1979) of the p-values that exist.

    The i-th smallest of m p-values becomes max over j <= i of min(1, (m - j + 1) p_j), which keeps
    the chance of any false claim in the family at the level of a single test.
    """
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    running = 0.0
    for rank, (p, name) in enumerate(known):
        running = max(running, min(1.0, (len(known) - rank) * p))
        adjusted[name] = running
    return adjusted


def wilson(accuracy: float, samples: int, level: float) -> tuple[float, float]:
    """Return the limits of the Wilson interval of one accuracy measured on ``samples`` clips.

    It says how far an accuracy can be off because a split is only a sample; intervals over seeds
    do not contain this.
    """
    from scipy.stats import binomtest

    result = binomtest(round(accuracy * samples), samples).proportion_ci(level, method="wilson")
    return float(result.low), float(result.high)


def sampling_half_width(accuracy: float, samples: int, level: float) -> float:
    """Return half the width of :func:`wilson`."""
    low, high = wilson(accuracy, samples, level)
    return (high - low) / 2
