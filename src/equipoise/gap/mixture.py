"""Two Gaussians on the gaps: fit, whether the data support them, posteriors."""

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from equipoise.params import Gap

FEWEST_SAMPLES = 20
"""Fewer gaps than this say nothing about two components."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """A two-component Gaussian mixture in one dimension, components by ascending mean."""

    means: tuple[float, ...] = ()
    variances: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    converged: bool = False
    log_likelihood: float | None = None
    """Of all samples together, natural logarithm."""
    samples: int = 0
    bic: dict[str, float] | None = None
    """Number of components to Bayesian information criterion; lower is better."""
    identifiable: bool = False
    reason: str = ""
    """Why it is, or is not, identifiable."""

    @property
    def balanced(self) -> int:
        """Index of the balanced component: the mean nearest to a gap of zero."""
        return int(np.argmin(np.abs(self.means)))


Posterior = Literal["monotone", "bayes"]


def rising(mixture: Mixture) -> tuple[float, float]:
    """Return the lowest and the highest gap up to which the posterior of 'imbalanced' rises.

    With mean mu_b and deviation s_b of the balanced component and mu, s of the other one, the
    logarithm of the ratio of their densities is a parabola in g with its vertex at
    (mu_b s^2 - mu s_b^2) / (s^2 - s_b^2). If s < s_b, it lies beyond mu and is a maximum: from
    there on the posterior falls. Else, there is no such gap (an infinite one is returned).
    """
    k = mixture.balanced
    centre, other = mixture.means[k], mixture.means[1 - k]
    own, its = mixture.variances[k], mixture.variances[1 - k]
    if its >= own:
        return -math.inf, math.inf
    vertex = (centre * its - other * own) / (its - own)
    return (-math.inf, vertex) if other > centre else (vertex, math.inf)


def posterior_imbalanced(gaps: Array, mixture: Mixture, kind: Posterior = "monotone") -> Array:
    """Return gamma_im (N,): the posterior of the imbalanced component, by Bayes' rule.

    0.5 everywhere when the mixture is not identifiable.

    Args:
        gaps: (N,).
        mixture: The fit.
        kind: ``bayes``: of the gaps as they are. ``monotone``: never falling as the gap grows, on
            either side of 0, which two Gaussians of different width do not give: gamma_im(mu_b)
            where |g| <= |mu_b|, elsewhere the largest value up to g, nowhere less than
            gamma_im(mu_b). Our choice; the paper's posterior is not established.

    >>> mixture = Mixture((0.0, 0.5), (0.01, 0.01), (0.5, 0.5), identifiable=True)
    >>> posterior_imbalanced(np.array([0.0, 0.25, 0.5]), mixture).round(3)
    array([0. , 0.5, 1. ])
    """
    if not mixture.identifiable:
        return np.full(len(gaps), 0.5)
    if kind == "bayes":
        return _bayes(gaps, mixture)
    centre = mixture.means[mixture.balanced]
    least = _bayes(np.array([centre]), mixture)
    found = np.maximum(_bayes(np.clip(gaps, *rising(mixture)), mixture), least)
    return np.where(np.abs(gaps) <= abs(centre), least, found)


def _bayes(gaps: Array, mixture: Mixture) -> Array:
    joint = np.stack(
        [
            np.log(w) - 0.5 * (np.log(2 * np.pi * v) + (gaps - m) ** 2 / v)
            for m, v, w in zip(mixture.means, mixture.variances, mixture.weights, strict=True)
        ]
    )
    joint -= joint.max(axis=0)
    posterior = np.exp(joint)
    posterior /= posterior.sum(axis=0)
    imbalanced: Array = posterior[1 - mixture.balanced]
    return imbalanced


def fit_mixture(gaps: Array, settings: Gap | None = None) -> Mixture:
    """Fit 1 to ``max_components`` Gaussians to the gaps (N,) and judge the fit of two.

    Never raises for bad data: what cannot be fitted is 'not identifiable', with the reason.

    Args:
        gaps: (N,).
        settings: How it is fitted and judged; None: the defaults of section ``gap``.

    >>> gaps = np.concatenate([np.linspace(0, 0.2, 50), np.linspace(0.6, 1, 50)])
    >>> [round(mean, 2) for mean in fit_mixture(gaps).means]
    [0.1, 0.8]
    """
    settings = settings or Gap()
    gaps = np.asarray(gaps, dtype=np.float64)
    count = len(gaps)
    if not np.isfinite(gaps).all():
        return Mixture(samples=count, reason="a gap is not finite: the model has diverged")
    if count < max(FEWEST_SAMPLES, settings.max_components):
        return Mixture(samples=count, reason=f"{count} samples are too few")
    if np.ptp(gaps) < 1e-6:
        return Mixture(samples=count, reason="all gaps are equal")
    fits = {k: _fit(gaps, k, settings) for k in range(1, settings.max_components + 1)}
    column = gaps[:, None]
    two = fits[2]
    order = np.argsort(two.means_[:, 0], kind="stable")
    means = tuple(float(x) for x in two.means_[order, 0])
    weights = tuple(float(x) for x in two.weights_[order])
    bic = {str(k): float(fit.bic(column)) for k, fit in fits.items()}
    reason = _objection(means, weights, bic, bool(two.converged_), settings)
    return Mixture(
        means=means,
        variances=tuple(float(x) for x in two.covariances_.reshape(-1)[order]),
        weights=weights,
        converged=bool(two.converged_),
        log_likelihood=float(two.score(column) * count),
        samples=count,
        bic=bic,
        identifiable=not reason,
        reason=reason or "two components are supported by the data",
    )


def _fit(gaps: Array, components: int, settings: Gap):  # type: ignore[no-untyped-def]  # noqa: ANN202
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # judged below, by ``converged_``
        return GaussianMixture(
            components,
            covariance_type="spherical",
            n_init=settings.n_init,
            max_iter=500,
            random_state=settings.seed,
        ).fit(gaps[:, None])


def _objection(
    means: tuple[float, ...],
    weights: tuple[float, ...],
    bic: dict[str, float],
    converged: bool,
    settings: Gap,
) -> str:
    """Say why two components are not supported; empty when they are."""
    if not converged:
        return "the fit of two components did not converge"
    if bic["2"] >= bic["1"]:
        return "one component explains the gaps as well (BIC)"
    if min(weights) < settings.min_weight:
        return f"a component weighs {min(weights):.4g}, less than gap.min_weight"
    if abs(means[1] - means[0]) < settings.min_separation:
        return f"the means differ by {abs(means[1] - means[0]):.4g}, less than gap.min_separation"
    return ""
