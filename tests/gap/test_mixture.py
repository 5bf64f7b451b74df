"""The mixture fit recovers what made the data, and says so when there is nothing to find."""

import numpy as np
import pytest
from scipy.stats import norm

from equipoise.gap.mixture import Mixture, fit_mixture, posterior_imbalanced
from equipoise.gap.subset import balanced_subset
from equipoise.params import Gap

SETTINGS = Gap()


def two_groups(seed=0, count=3000):
    generator = np.random.default_rng(seed)
    imbalanced = generator.random(count) < 0.3
    gaps = np.where(
        imbalanced, generator.normal(0.7, 0.1, count), generator.normal(0.1, 0.04, count)
    )
    return gaps, imbalanced


def test_it_recovers_the_components_of_a_known_mixture():
    gaps, _ = two_groups()
    fit = fit_mixture(gaps, SETTINGS)
    assert fit.identifiable and fit.converged and fit.samples == 3000
    np.testing.assert_allclose(fit.means, (0.1, 0.7), atol=0.01)
    np.testing.assert_allclose(np.sqrt(fit.variances), (0.04, 0.1), atol=0.01)
    np.testing.assert_allclose(fit.weights, (0.7, 0.3), atol=0.02)
    assert sorted(fit.bic) == ["1", "2", "3", "4"]
    assert min(fit.bic, key=fit.bic.get) == "2"


def test_log_likelihood_and_bic_follow_their_definitions():
    gaps, _ = two_groups(count=200)
    fit = fit_mixture(gaps, SETTINGS)
    density = sum(
        w * norm.pdf(gaps, m, np.sqrt(v))
        for m, v, w in zip(fit.means, fit.variances, fit.weights, strict=True)
    )
    assert fit.log_likelihood == pytest.approx(np.log(density).sum(), rel=1e-9)
    free = 2 + 2 + 1  # means, variances, one weight
    assert fit.bic["2"] == pytest.approx(-2 * fit.log_likelihood + free * np.log(200), rel=1e-9)


def test_posteriors_of_both_components_sum_to_one_and_find_the_groups():
    gaps, imbalanced = two_groups()
    fit = fit_mixture(gaps, SETTINGS)
    posterior = posterior_imbalanced(gaps, fit)
    mirrored = Mixture(
        means=tuple(-m for m in fit.means[::-1]),
        variances=fit.variances[::-1],
        weights=fit.weights[::-1],
        identifiable=True,
    )
    np.testing.assert_allclose(posterior_imbalanced(-gaps, mirrored), posterior, rtol=1e-9)
    assert ((posterior >= 0) & (posterior <= 1)).all()
    assert np.mean((posterior > 0.5) == imbalanced) > 0.99


def test_posteriors_far_outside_are_finite():
    fit = Mixture(means=(0.0, 0.5), variances=(1e-6, 1e-6), weights=(0.5, 0.5), identifiable=True)
    gaps = np.array([-50.0, 50.0])
    np.testing.assert_allclose(posterior_imbalanced(gaps, fit, "bayes"), [0.0, 1.0])
    np.testing.assert_allclose(posterior_imbalanced(gaps, fit), [0.0, 1.0])


#: Components that were found in a real run: below the balanced mean the wide one wins again.
FOUND = Mixture(
    means=(0.148, 0.562),
    variances=(0.034**2, 0.264**2),
    weights=(0.7, 0.3),
    identifiable=True,
)


def test_bayes_rule_alone_calls_the_smallest_gaps_imbalanced():
    gaps = np.array([0.0, 0.148, 0.4])
    dense = [w * norm.pdf(gaps, m, s) for w, m, s in ((0.7, 0.148, 0.034), (0.3, 0.562, 0.264))]
    expected = dense[1] / sum(dense)
    assert expected[0] > 0.95 > 0.05 > expected[1]
    np.testing.assert_allclose(posterior_imbalanced(gaps, FOUND, "bayes"), expected, rtol=1e-10)
    np.testing.assert_allclose(
        posterior_imbalanced(gaps, FOUND), [expected[1], expected[1], expected[2]], rtol=1e-10
    )


def drawn_mixtures(count=300):
    """Mixtures of every kind: narrow and wide, absolute and signed, balanced below and above."""
    generator = np.random.default_rng(11)
    for number in range(count):
        means = generator.uniform(0, 1, 2)
        if number % 2:
            means = generator.uniform(-1, 1, 2)
        weight = generator.uniform(0.02, 0.98)
        yield Mixture(
            means=tuple(sorted(means)),
            variances=tuple(generator.uniform(0.02, 0.6, 2) ** 2),
            weights=(weight, 1 - weight),
            identifiable=True,
        )


@pytest.mark.parametrize("side", [1, -1])
def test_the_monotone_posterior_never_falls_as_the_gap_grows_and_starts_at_its_minimum(side):
    sizes = np.linspace(0, 1.5, 601)
    fell = 0
    for fit in drawn_mixtures():
        posterior = posterior_imbalanced(side * sizes, fit)
        assert (np.diff(posterior) >= -1e-12).all(), fit
        centre = fit.means[fit.balanced]
        least = posterior_imbalanced(np.array([centre]), fit, "bayes")
        assert (posterior[sizes <= abs(centre)] == least).all(), fit
        assert (posterior >= least).all() and (posterior <= 1).all()
        plain = posterior_imbalanced(side * sizes, fit, "bayes")
        fell += (np.diff(plain) < 0).any()
        # It is the largest of the plain ones up to the gap, nothing else.
        beyond = np.where(sizes > abs(centre), plain, least)
        np.testing.assert_allclose(posterior, np.maximum.accumulate(beyond), atol=2e-3)
    assert fell > 100  # of 300: without the option the test would fail


def test_where_two_gaussians_are_monotone_already_nothing_changes():
    fit = Mixture(means=(0.0, 0.5), variances=(0.04, 0.04), weights=(0.6, 0.4), identifiable=True)
    gaps = np.linspace(0, 1, 21)
    np.testing.assert_allclose(
        posterior_imbalanced(gaps, fit), posterior_imbalanced(gaps, fit, "bayes"), rtol=1e-12
    )


def test_the_subset_loses_no_sample_below_the_balanced_mean():
    generator = np.random.default_rng(5)
    gaps = np.concatenate([generator.normal(0.15, 0.034, 600), generator.normal(0.56, 0.26, 400)])
    gaps = np.abs(gaps)
    fit = fit_mixture(gaps, SETTINGS)
    labels = np.zeros(len(gaps), np.int64)
    low = gaps < fit.means[fit.balanced]
    for kind, lost in (("monotone", False), ("bayes", True)):
        posterior = posterior_imbalanced(gaps, fit, kind)
        keep, _ = balanced_subset(1 - posterior, gaps, labels, 0.5)
        assert (low & ~keep).any() == lost
        assert keep[low].mean() > 0.5


def test_signed_gaps_name_the_component_nearest_zero_balanced():
    generator = np.random.default_rng(1)
    gaps = np.concatenate([generator.normal(-0.6, 0.1, 500), generator.normal(0.02, 0.05, 900)])
    fit = fit_mixture(gaps, SETTINGS)
    assert fit.balanced == 1 and fit.identifiable


@pytest.mark.parametrize(
    ("gaps", "settings", "reason"),
    [
        (np.full(100, 0.25), SETTINGS, "equal"),
        (np.array([0.1, np.nan] * 50), SETTINGS, "not finite"),
        (np.array([0.1, np.inf] * 50), SETTINGS, "not finite"),
        (np.linspace(0, 1, 10), SETTINGS, "too few"),
        (np.random.default_rng(0).normal(0.5, 0.05, 2000), SETTINGS, "BIC"),
        (two_groups()[0], Gap(min_weight=0.4), "min_weight"),
        (two_groups()[0], Gap(min_separation=0.7), "min_separation"),
    ],
    ids=["constant", "nan", "inf", "few", "one gaussian", "light", "close"],
)
def test_what_two_components_do_not_explain_is_not_identifiable(gaps, settings, reason):
    fit = fit_mixture(gaps, settings)
    assert not fit.identifiable
    assert reason in fit.reason
    assert posterior_imbalanced(np.array([0.0, 0.9]), fit).tolist() == [0.5, 0.5]


def test_the_fit_is_reproducible():
    gaps, _ = two_groups()
    assert fit_mixture(gaps, SETTINGS) == fit_mixture(gaps, SETTINGS)


def test_the_subset_is_what_reaches_the_threshold():
    labels = np.array([0, 0, 0, 1, 1, 1])
    posterior = np.array([0.9, 0.5, 0.1, 0.8, 0.49, 0.7])
    keep, filled = balanced_subset(posterior, 1 - posterior, labels, 0.5)
    assert keep.tolist() == [True, True, False, True, False, True]
    assert filled == []


def test_a_class_below_the_threshold_keeps_its_most_balanced_samples():
    labels = np.repeat([0, 1], 20)
    posterior = np.concatenate([np.full(20, 0.9), np.linspace(0.0, 0.38, 20)])
    keep, filled = balanced_subset(posterior, 1 - posterior, labels, 0.5)
    assert keep[:20].all()
    assert np.flatnonzero(keep[20:]).tolist() == [18, 19]  # a tenth of the class, its best
    assert filled == [1]


def test_among_equal_posteriors_the_smallest_gaps_are_kept_whatever_their_sign():
    gaps = np.array([0.3, -0.1, 0.4, 0.2, -0.5, 0.05, 0.6, 0.7, 0.8, 0.9, 1.0])
    keep, _ = balanced_subset(np.full(11, 0.2), gaps, np.zeros(11, np.int64), 0.5)
    assert np.flatnonzero(keep).tolist() == [1, 5]  # a tenth of eleven, rounded up
