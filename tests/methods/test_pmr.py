"""PMR: prototypes, distances, entropy and the loss against loops and autograd in float64."""

import math

import numpy as np
import pytest
import torch
import toy_data
from scipy.stats import entropy

from equipoise.methods.pmr import Options
from equipoise.methods.pmr.method import (
    Pmr,
    class_sums,
    grades,
    mean_entropy,
    moved,
    part_of_batches,
    prototype_logits,
    rebalance_loss,
    sample_of_each_class,
)


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def yes(*values):
    return torch.tensor(values, dtype=torch.bool)


def test_sums_and_counts_of_each_class_by_a_loop():
    h, labels = drawn(7, 3), torch.tensor([0, 2, 2, 0, 0, 2, 0])
    sums, counts = class_sums(h, labels, 4)
    for k in range(4):
        rows = [h[i].numpy() for i in range(7) if labels[i] == k]
        np.testing.assert_allclose(sums[k], np.sum(rows, axis=0) if rows else np.zeros(3))
    assert counts.tolist() == [4, 0, 3, 0]


def test_prototypes_move_by_momentum_start_where_they_are_found_and_stay_when_they_are_not():
    old, new = torch.full((4, 2), 10.0), torch.full((4, 2), 20.0)
    got = moved(old, new, yes(1, 1, 0, 0), yes(1, 0, 1, 0), momentum=0.2)
    assert got[:, 0].tolist() == pytest.approx([18.0, 10.0, 20.0, 10.0])


def test_logits_are_minus_the_distance_and_an_unknown_class_has_probability_zero():
    h, c = drawn(5, 3), drawn(4, 3, seed=1)
    z = prototype_logits(h, c, yes(1, 1, 0, 1))
    for i in range(5):
        for k in (0, 1, 3):
            assert float(z[i, k]) == pytest.approx(-math.dist(h[i].tolist(), c[k].tolist()))
    assert not z.softmax(1)[:, 2].any()
    three = prototype_logits(h, c[[0, 1, 3]], yes(1, 1, 1))
    torch.testing.assert_close(mean_entropy(z), mean_entropy(three))


def test_a_feature_on_its_prototype_has_a_finite_gradient():
    h = torch.zeros(1, 3, requires_grad=True)
    c = torch.stack([torch.zeros(3), torch.ones(3)])
    z = prototype_logits(h, c, yes(1, 1))
    torch.nn.functional.cross_entropy(z, torch.tensor([0])).backward()
    assert h.grad.isfinite().all()


def test_entropy_is_that_of_scipy_and_of_equal_logits_log_c():
    z = 3 * drawn(6, 5)
    expected = np.mean([entropy(p) for p in z.softmax(1).numpy()])
    assert float(mean_entropy(z)) == pytest.approx(expected, rel=1e-10)
    assert float(mean_entropy(torch.zeros(2, 5))) == pytest.approx(math.log(5))


def by_hand(logits, labels, alpha, mu, graded):
    probabilities = {m: z.detach().softmax(1).numpy() for m, z in logits.items()}
    rows = range(len(labels))
    score = {m: sum(p[i, labels[i]] for i in rows) for m, p in probabilities.items()}
    total = 0.0
    for m, p in probabilities.items():
        rho = score[m] / np.mean([s for other, s in score.items() if other != m])
        pull, spread = min(max(1 / rho - 1, 0), 1), min(max(rho - 1, 0), 1)
        if not graded:
            pull, spread = float(rho < 1), float(rho > 1)
        total += alpha * pull * np.mean([-math.log(p[i, labels[i]]) for i in rows])
        total -= mu * spread * np.mean([entropy(p[i]) for i in rows])
    return total


@pytest.mark.parametrize("graded", [True, False])
@pytest.mark.parametrize("names", ["av", "avi"])
def test_the_loss_equals_its_formula_whatever_the_order_of_modalities(names, graded):
    labels = torch.tensor([0, 1, 2, 1])
    logits = {m: 2 * drawn(4, 3, seed=i) for i, m in enumerate(names)}
    loss, _ = rebalance_loss(logits, labels, 0.7, 0.3, graded)
    expected = by_hand(logits, labels, 0.7, 0.3, graded)
    assert float(loss) == pytest.approx(expected, rel=1e-10) and expected
    swapped, _ = rebalance_loss({m: logits[m] for m in names[::-1]}, labels, 0.7, 0.3, graded)
    torch.testing.assert_close(swapped, loss)
    assert not rebalance_loss(logits, labels, 0.0, 0.0, graded)[0]


def test_a_sample_of_a_class_without_prototype_takes_no_part_in_the_cross_entropy():
    """Its loss would be 1e9, and its gradient away from every other class."""
    c, labels = drawn(3, 3, seed=1), torch.tensor([0, 1, 2, 1])
    known = yes(1, 1, 0)
    h = {m: drawn(4, 3, seed=i).requires_grad_() for i, m in enumerate("av", start=2)}
    z = {m: prototype_logits(x, c, known) for m, x in h.items()}
    loss, ratios = rebalance_loss(z, labels, 0.7, 0.0, graded=False)
    weak = min(ratios, key=lambda m: float(ratios[m]))
    kept = [0, 1, 3]
    expected = torch.nn.functional.cross_entropy(z[weak][kept], labels[kept])
    assert float(loss.detach()) == pytest.approx(0.7 * float(expected.detach()), rel=1e-12)
    loss.backward()
    assert not h[weak].grad[2].any() and h[weak].grad[kept].any(dim=1).all()
    nobody, _ = rebalance_loss({m: x[2:3] for m, x in z.items()}, labels[2:3], 1.0, 0.0)
    assert float(nobody.detach()) == 0


@pytest.mark.parametrize(
    ("ratio", "pull", "spread"),
    [
        (0.985, 0.01522843, 0),
        (0.86, 0.1627907, 0),
        (0.5, 1, 0),
        (0.2, 1, 0),
        (1, 0, 0),
        (1.015, 0, 0.015),
        (1.6, 0, 0.6),
        (4, 0, 1),
    ],
)
def test_grades_by_hand(ratio, pull, spread):
    """1/0.985 - 1 and so on; the released code has 1 for any weaker modality."""
    rho = torch.tensor(ratio, dtype=torch.float64)
    assert [float(v) for v in grades(rho, True)] == pytest.approx([pull, spread], abs=1e-7)
    assert [float(v) for v in grades(rho, False)] == [float(ratio < 1), float(ratio > 1)]


def test_a_part_of_the_batches_is_whole_batches_and_one_at_least():
    order = np.random.default_rng(0).permutation(100)
    assert part_of_batches(order, 3, 0.1).tolist() == sorted(order[:9])  # 34 batches: 3
    assert part_of_batches(order, 64, 0.1).tolist() == sorted(order[:64])  # 2 batches: none, so 1
    assert part_of_batches(order, 30, 1.0).tolist() == list(range(100))
    for batches in range(1, 300):  # as batches // 10
        assert len(part_of_batches(np.arange(batches), 1, 0.1)) == max(1, batches // 10)


def test_equally_good_modalities_cost_nothing():
    z = drawn(4, 3)
    loss, ratios = rebalance_loss({"a": z, "v": z.clone()}, torch.tensor([0, 1, 2, 0]), 1.0, 1.0)
    assert float(loss) == 0 and float(ratios["a"]) == 1


def test_the_weaker_is_pulled_to_its_class_and_the_stronger_to_higher_entropy():
    c, labels = 2 * torch.eye(3, dtype=torch.float64), torch.tensor([0, 1, 2])
    features = {
        "strong": (0.9 * c).requires_grad_(),
        "weak": (0.4 * c + 0.3).requires_grad_(),
    }
    known = yes(1, 1, 1)
    before = {m: prototype_logits(h, c, known) for m, h in features.items()}
    loss, ratios = rebalance_loss(before, labels, 1.0, 1.0)
    assert ratios["strong"] > 1 > ratios["weak"]
    loss.backward()
    after = {m: prototype_logits(h - 0.01 * h.grad, c, known) for m, h in features.items()}
    cross = torch.nn.functional.cross_entropy
    assert cross(after["weak"], labels) < cross(before["weak"], labels)
    assert mean_entropy(after["strong"]) > mean_entropy(before["strong"])
    alone, _ = rebalance_loss(before, labels, 1.0, 0.0, graded=False)
    assert float(alone.detach()) == pytest.approx(float(cross(before["weak"], labels).detach()))


def test_a_part_of_the_samples_has_every_class():
    labels = np.array([0] * 10 + [1] * 3 + [2])
    order = np.random.default_rng(0).permutation(14)
    rows = sample_of_each_class(order, labels, 0.25)
    assert np.bincount(labels[rows]).tolist() == [3, 1, 1]
    assert (np.diff(rows) > 0).all()
    assert sample_of_each_class(order, labels, 1.0).tolist() == list(range(14))
    first = [row for row in order if labels[row] == 0][:3]
    assert sorted(first) == [row for row in rows if labels[row] == 0]


@pytest.mark.parametrize(
    ("key", "options", "terms"),
    [
        ("pmr", {"mu": 0.5, "entropy_epochs": 2}, [(1, 0.5), (1, 0.5), (1, 0), (1, 0)]),
        ("pmr-released_code", {"mu": 0.5, "to_epoch": 3, "fraction": 1.0}, [(1, 0)] * 3 + [(0, 0)]),
    ],
)
def test_the_prototypes_of_the_first_epoch_are_the_class_means_and_later_ones_move(
    key, options, terms, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    start, seen = Pmr.on_epoch_start, []

    def watched(self, epoch):
        plan = start(self, epoch)
        train = self.run.data.splits["train"]
        found = self.run.collect(train)
        labels = self.run.data.labels[train]
        means = {
            m: np.stack([h[labels == k].mean(axis=0) for k in range(3)])
            for m, h in found.features.items()
        }
        prototypes = {m: c.numpy().copy() for m, c in self._prototypes.items()}
        seen.append((means, prototypes, (self._alpha, self._mu)))
        return plan

    monkeypatch.setattr(Pmr, "on_epoch_start", watched)
    toy_data.run_train(key, {"momentum": 0.3, **options})
    expected = seen[0][0]
    for t, (means, prototypes, _) in enumerate(seen, start=1):
        anew = t == 1 or (t == 2 and key == "pmr-released_code")
        for m in means:
            expected[m] = means[m] if anew else 0.3 * expected[m] + 0.7 * means[m]
            np.testing.assert_allclose(prototypes[m], expected[m], rtol=1e-4, atol=1e-5)
    assert [term for _, _, term in seen] == terms


def test_the_released_code_has_a_tenth_of_the_batches_and_ends_after_101_epochs():
    for variant, fraction, last in (("paper", 1.0, None), ("released_code", 0.1, 101)):
        method = Pmr(variant, Options())
        assert (method._fraction, method._last) == (fraction, last)
