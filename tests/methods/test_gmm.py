"""The GMM loss against hand-computed values, its posterior against scipy, and its properties."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from equipoise.gap.mixture import Mixture
from equipoise.gap.mixture import posterior_imbalanced as posterior_of_arrays
from equipoise.gap.scores import gap, true_class_scores
from equipoise.methods.base import Batch
from equipoise.methods.gmm import Options
from equipoise.methods.gmm.method import Gmm, adaptive_loss, penalty, posterior_imbalanced
from equipoise.models.multimodal import Output

MIXTURE = Mixture(means=(0.1, 0.7), variances=(0.01, 0.04), weights=(0.6, 0.4), identifiable=True)
ABSENT = Mixture(reason="all gaps are equal")


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def hand_posterior(g):
    """Bayes' rule; in this mixture it rises from a gap of 0.1 on, its least value by the option."""
    g = max(abs(g), 0.1)
    dense = [0.6 * norm.pdf(g, 0.1, 0.1), 0.4 * norm.pdf(g, 0.7, 0.2)]
    return dense[1] / sum(dense)


def test_posterior_is_bayes_rule_with_scipy_densities():
    gaps = np.linspace(0, 1, 21)
    dense = [0.6 * norm.pdf(gaps, 0.1, 0.1), 0.4 * norm.pdf(gaps, 0.7, 0.2)]
    expected = dense[1] / (dense[0] + dense[1])
    got = posterior_imbalanced(t(*gaps), MIXTURE, "bayes")
    np.testing.assert_allclose(got, expected, rtol=1e-10)
    np.testing.assert_allclose(posterior_of_arrays(gaps, MIXTURE, "bayes"), expected, rtol=1e-10)


def test_the_monotone_posterior_is_that_of_the_arrays_of_stage_gap():
    generator = np.random.default_rng(2)
    gaps = np.linspace(-1.2, 1.2, 97)
    for _ in range(50):
        mixture = Mixture(
            means=tuple(sorted(generator.uniform(-1, 1, 2))),
            variances=tuple(generator.uniform(0.02, 0.6, 2) ** 2),
            weights=(0.3, 0.7),
            identifiable=True,
        )
        got = posterior_imbalanced(t(*gaps), mixture).numpy()
        np.testing.assert_allclose(got, posterior_of_arrays(gaps, mixture), rtol=1e-9, atol=1e-15)
        assert (np.diff(got[48:]) >= -1e-12).all()  # from a gap of 0 upwards
        assert (np.diff(got[48::-1]) >= -1e-12).all()


@pytest.mark.parametrize(
    ("option", "of_stage", "expected"),
    [(None, "bayes", 0.9868), (None, "monotone", 0.0159), ("bayes", "monotone", 0.9868)],
)
def test_the_option_decides_and_null_is_what_stage_gap_did(option, of_stage, expected):
    """Posteriors of a gap of 0 under the components found in a real run, by scipy."""
    wide = Mixture((0.148, 0.562), (0.034**2, 0.264**2), (0.7, 0.3), identifiable=True)
    method = Gmm("adaptive", Options(posterior=option, beta=1.0, lambda1=0.0, heads="probe"))
    found = SimpleNamespace(
        mixture=wide, scores="heads", signed=False, posterior=of_stage, subset=np.arange(2)
    )
    data = SimpleNamespace(modalities=["a", "v"], splits={"train": np.arange(4)})
    method.setup(SimpleNamespace(gap=found, data=data, last_epoch=3, first_epoch=2))
    method.attach(SimpleNamespace(heads={m: torch.nn.Identity() for m in "av"}), {})
    method.on_epoch_start(2)
    same = torch.tensor([[0.3, -0.2]])
    output = Output({"a": same, "v": same}, {}, torch.zeros(1, 2))
    loss = method.loss(output, Batch({}, torch.tensor([0]), torch.tensor([0])))
    assert float(loss) == pytest.approx((2 - expected) * math.log(2), rel=2e-3)


def test_the_loss_equals_its_formula_worked_out_by_hand():
    ce, gaps = [0.5, 2.0, 1.0], [0.05, 0.4, 0.9]
    options = Options(beta=0.5, lambda1=0.2, lambda2=3.0)
    expected = 0.0
    for c, g in zip(ce, gaps, strict=True):
        imbalanced = hand_posterior(g)
        beyond = max(g - 0.1, 0.0) ** 2
        expected += (1 + 0.5 * (1 - imbalanced)) * c + 0.2 * g + 3.0 * imbalanced * beyond
    got = adaptive_loss(t(*ce), t(*gaps), MIXTURE, options)
    assert float(got) == pytest.approx(expected / 3, rel=1e-12)


def test_the_gradient_flows_through_the_gap_and_not_through_the_posterior():
    options = Options(beta=0.5, lambda1=0.2, lambda2=3.0)
    gaps = t(0.05, 0.4, 0.9).requires_grad_()
    adaptive_loss(t(0.5, 2.0, 1.0), gaps, MIXTURE, options).backward()
    expected = [
        (0.2 + 3.0 * hand_posterior(g) * 2 * max(g - 0.1, 0.0)) / 3 for g in (0.05, 0.4, 0.9)
    ]
    np.testing.assert_allclose(gaps.grad.numpy(), expected, rtol=1e-10)


def test_zero_gap_costs_nothing_and_beta_zero_is_plain_cross_entropy_there():
    ce, zero = t(0.5, 2.0), t(0.0, 0.0)
    for kind in ("relu_sq", "sq"):
        assert not penalty(zero, 0.1, kind).any()
        options = Options(beta=0.0, lambda1=5.0, lambda2=5.0, penalty=kind)
        assert float(adaptive_loss(ce, zero, MIXTURE, options)) == pytest.approx(1.25)


def test_penalties_by_hand_absolute_and_signed():
    np.testing.assert_allclose(penalty(t(0.05, 0.3, 1.0), 0.1, "relu_sq"), [0, 0.04, 0.81])
    np.testing.assert_allclose(penalty(t(-0.3, 0.3), -0.1, "relu_sq"), [0.04, 0.04])
    np.testing.assert_allclose(penalty(t(-0.3, 0.5), 0.1, "sq"), [0.09, 0.25])


def test_without_an_identifiable_mixture_both_posteriors_are_one_half():
    gaps, options = t(0.2, 0.6), Options(beta=1.0, lambda1=0.0, lambda2=2.0)
    assert posterior_imbalanced(gaps, ABSENT).tolist() == [0.5, 0.5]
    expected = np.mean([1.5 * 1.0 + 2 * 0.5 * 0.04, 1.5 * 3.0 + 2 * 0.5 * 0.36])
    assert float(adaptive_loss(t(1.0, 3.0), gaps, ABSENT, options)) == pytest.approx(expected)


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_reallocation_weighs_the_fused_loss_by_the_balanced_posterior_v1_by_nothing(beta):
    ce, gaps = t(0.5, 2.0, 1.0).requires_grad_(), t(0.05, 0.4, 0.9)
    adaptive_loss(ce, gaps, MIXTURE, Options(beta=beta)).backward()
    expected = [(1 + beta * (1 - hand_posterior(g))) / 3 for g in gaps.tolist()]
    np.testing.assert_allclose(ce.grad, expected, rtol=1e-10)
    weights = 3 * ce.grad.numpy()
    assert (weights >= 1).all() and (weights <= 1 + beta).all()
    assert list(weights) == sorted(weights, reverse=True)  # more for the more balanced


def test_each_goal_alone_pulls_where_it_should():
    inside, beyond = 0.05, 0.5  # of the balanced mean, 0.1

    def pull(gap, **weights):
        gaps = t(gap).requires_grad_()
        options = Options(**{"lambda1": 0.0, "lambda2": 0.0, "beta": 0.0} | weights)
        adaptive_loss(t(1.0), gaps, MIXTURE, options).backward()
        return float(gaps.grad)

    assert pull(inside, lambda1=0.3) == pull(beyond, lambda1=0.3) == pytest.approx(0.3)
    assert pull(-beyond, lambda1=0.3) == pytest.approx(-0.3)
    assert pull(inside, lambda2=2.0) == 0 and pull(beyond, lambda2=2.0) > 0
    heavier = Mixture(MIXTURE.means, MIXTURE.variances, (0.2, 0.8), identifiable=True)
    few = float(posterior_imbalanced(t(0.3), MIXTURE))
    many = float(posterior_imbalanced(t(0.3), heavier))
    losses = [
        float(adaptive_loss(t(0.0), t(0.3), m, Options(lambda1=0.0, lambda2=2.0)))
        for m in (MIXTURE, heavier)
    ]
    assert many > few and losses[1] / losses[0] == pytest.approx(many / few)


@pytest.mark.parametrize("mixture", [MIXTURE, ABSENT])
def test_posteriors_of_both_components_sum_to_one(mixture):
    gaps = torch.linspace(-1, 1, 41, dtype=torch.float64)
    flipped = Mixture(
        tuple(-m for m in mixture.means[::-1]),
        mixture.variances[::-1],
        mixture.weights[::-1],
        identifiable=mixture.identifiable,
    )
    imbalanced = posterior_imbalanced(gaps, mixture)
    torch.testing.assert_close(posterior_imbalanced(-gaps, flipped), imbalanced)
    if mixture.identifiable:
        dense = [0.6 * norm.pdf(gaps, 0.1, 0.1), 0.4 * norm.pdf(gaps, 0.7, 0.2)]
        balanced = dense[0] / (dense[0] + dense[1])
        plain = posterior_imbalanced(gaps, mixture, "bayes")
        np.testing.assert_allclose(plain.numpy() + balanced, 1, rtol=1e-10)


def test_scores_and_gaps_by_hand():
    logits = {"a": t(0.0, math.log(3)).reshape(1, 2), "b": t(0.0, 0.0).reshape(1, 2)}
    scores = true_class_scores(logits, torch.tensor([1]))
    assert float(scores["a"]) == pytest.approx(0.75) and float(scores["b"]) == pytest.approx(0.5)
    assert float(gap(scores)) == pytest.approx(0.25)
    assert float(gap(scores, signed=True)) == pytest.approx(0.25)
    swapped = {"a": scores["b"], "b": scores["a"]}
    assert float(gap(swapped)) == pytest.approx(0.25)
    assert float(gap(swapped, signed=True)) == pytest.approx(-0.25)


def test_the_gap_of_three_is_the_range_whatever_their_order():
    scores = {"a": t(0.9, 0.2), "b": t(0.5, 0.2), "c": t(0.3, 0.2)}
    np.testing.assert_allclose(gap(scores), [0.6, 0.0], atol=1e-12)
    np.testing.assert_allclose(gap({m: scores[m] for m in "cab"}), [0.6, 0.0], atol=1e-12)


def test_a_shrinking_gap_shrinks_the_loss():
    options = Options()
    losses = [float(adaptive_loss(t(1.0), t(g), MIXTURE, options)) for g in (0.9, 0.6, 0.45)]
    assert losses == sorted(losses, reverse=True)
