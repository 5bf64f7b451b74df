"""BSS by hand: agreement, scores, schedule, draws."""

import itertools
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small import batch32, model32
from torch.nn.functional import cross_entropy

from equipoise.methods.base import create
from equipoise.methods.bss.method import (
    agreement,
    losses,
    probabilities,
    scores,
    share,
    smoothed,
    weighted_order,
)

SIM, LOSS = np.array([0.9, 0.5, 0.7, 0.1]), np.array([0.2, 1.0, 0.6, 2.2])


def test_scores_of_four_samples_by_hand():
    """Scaled: sim (1, .5, .75, 0), loss (0, .4, .2, 1)."""
    found = scores(SIM, LOSS)
    assert found.tolist() == pytest.approx([1.0, 0.1, 0.55, -1.0])
    softmax = [2.7182818, 1.1051709, 1.7332530, 0.3678794]  # over 5.9245852
    assert probabilities(found).tolist() == pytest.approx([v / 5.9245852 for v in softmax])
    weights = (found + 1.01) / (found + 1.01).sum()
    assert weights.tolist() == pytest.approx(
        [0.4285714286, 0.2366737740, 0.3326226013, 0.0021321962], abs=1e-9
    )


@pytest.mark.parametrize("constant", ["similarity", "loss"])
def test_a_term_that_is_the_same_for_all_counts_nothing(constant):
    flat = np.full(4, 3.0)
    if constant == "loss":
        assert scores(SIM, flat).tolist() == pytest.approx([1, 0.5, 0.75, 0])
    else:
        assert scores(flat, LOSS).tolist() == pytest.approx([0, -0.4, -0.2, -1])


def test_the_share_grows_as_the_square_root():
    epochs = (1, 5, 10, 20, 39, 40, 90)
    expected = [0.1864135188, 0.3657184710, 0.5074445783, 0.7106335202, 0.9875474672, 1, 1]
    assert [share(t, 0.1, 40) for t in epochs] == pytest.approx(expected, abs=1e-9)


def test_agreement_is_the_cosine_of_probabilities_and_of_three_its_mean_over_pairs():
    def z(*p):
        return torch.tensor([p], dtype=torch.float64).log()

    one, two, three = z(0.6, 0.4), z(0.6, 0.4), z(0.4, 0.6)
    cosine = (0.6 * 0.4 + 0.4 * 0.6) / (0.6**2 + 0.4**2)
    assert agreement({"a": one, "v": two}).item() == pytest.approx(1.0)
    assert agreement({"a": one, "v": three}).item() == pytest.approx(cosine)
    found = agreement({"a": one, "b": two, "c": three})
    assert found.item() == pytest.approx((1 + 2 * cosine) / 3)


def test_a_score_is_smoothed_from_the_second_on():
    assert smoothed(None, np.array([2.0]), 0.25).tolist() == [2.0]
    assert smoothed(np.array([2.0]), np.array([6.0]), 0.25).tolist() == [3.0]


def test_the_order_is_that_of_drawing_without_replacement():
    """P(order) = product of w / (sum of the weights that are left)."""
    weights, draw = np.array([5.0, 2.0, 1.0]), np.random.default_rng(0)
    drawn = Counter(tuple(weighted_order(weights, draw).tolist()) for _ in range(20_000))
    for order in itertools.permutations(range(3)):
        left, expected = 8.0, 1.0
        for i in order:
            expected *= weights[i] / left
            left -= weights[i]
        deviation = math.sqrt(expected * (1 - expected) / 20_000)
        assert abs(drawn[order] / 20_000 - expected) < 5 * deviation, order


def scripted(method, sims, loss):
    """Give a plug-in a run of samples 3, 4, ... whose scores follow from these values."""
    net = model32(modalities=("a", "v"))
    count = len(sims)
    method.attach(net, {})
    data = SimpleNamespace(splits={"train": np.arange(3, 3 + count)})
    method.setup(SimpleNamespace(data=data, first_epoch=1, seed=0, model=net))
    calls = []
    method._score = lambda train: calls.append(len(train)) or scores(np.array(sims), np.array(loss))
    return calls


def test_heuristic_trains_on_the_most_balanced_samples_first():
    method = create("bss-heuristic", {"rank_after": 1, "start_share": 0.5, "grow_epochs": 3})
    calls = scripted(method, SIM, LOSS)
    assert method.on_epoch_start(1).rows is None and not calls
    assert method.on_epoch_end(1, {}) == {"score": 0.0}
    # lambda(1) = sqrt(.75 / 3 + .25) = .7071, (2) = .8660, (3) = 1; 4 samples, ranked 0, 2, 1, 3
    rows = [method.on_epoch_start(epoch).rows.tolist() for epoch in (2, 3, 4, 9)]
    assert rows == [[3, 5], [3, 5, 4], [3, 5, 4, 6], [3, 5, 4, 6]]
    assert calls == [4], "ranked once"
    assert method.on_epoch_end(2, {}) == {"score": pytest.approx(0.65 / 4)}


def test_learned_draws_with_replacement_by_the_softmax_of_the_scores():
    count = 4000
    method = create("bss-learned", {"every": 2})
    calls = scripted(method, [1.0] * (count // 2) + [0.0] * (count // 2), [1.0] * count)
    plans = [method.on_epoch_start(epoch) for epoch in (1, 2, 3)]
    assert len(calls) == 2 and not any(plan.ordered for plan in plans)
    high = (plans[0].rows < 3 + count // 2).mean()
    assert len(plans[0].rows) == count and high == pytest.approx(math.e / (1 + math.e), abs=0.04)
    assert len(set(plans[0].rows.tolist())) < count
    assert plans[0].rows.tolist() != plans[1].rows.tolist()


def test_released_code_takes_every_sample_once_balanced_ones_early():
    count = 400
    method = create("bss-released_code", {})
    calls = scripted(method, [1.0] * (count // 2) + [0.0] * (count // 2), [1.0] * count)
    plan = method.on_epoch_start(1)
    method.on_epoch_start(2)
    assert len(calls) == 2 and plan.ordered
    assert sorted(plan.rows.tolist()) == list(range(3, 3 + count))
    early = (plan.rows[: count // 4] < 3 + count // 2).mean()
    assert early > 0.55  # weights 2.01 and 1.01


def test_scores_come_from_the_model_as_it_is():
    net, data = model32(), batch32()
    method = create("bss-learned", {"fused_weight": 0.1, "head_weight": 0.9})
    method.attach(net, {})
    output = net(data.inputs)
    method.run = SimpleNamespace(outputs=lambda rows: [(output, data.labels)])
    each = [
        [float(cross_entropy(z[i : i + 1], data.labels[i : i + 1])) for i in range(6)]
        for z in (output.logits.detach(), *(v.detach() for v in output.modality_logits.values()))
    ]
    loss = [0.1 * f + 0.9 * (a + v) for f, a, v in zip(*each, strict=True)]
    assert losses(output, data.labels, 0.1, 0.9).tolist() == pytest.approx(loss)
    p = [z.detach().softmax(1).double().numpy() for z in output.modality_logits.values()]
    norms = [np.sqrt((q**2).sum(1)) for q in p]
    expected = scores((p[0] * p[1]).sum(1) / norms[0] / norms[1], np.array(loss))
    np.testing.assert_allclose(method._score(np.arange(6)), expected, atol=1e-5)
    assert method.loss(output, data).item() == pytest.approx(np.mean(loss), rel=1e-6)


@pytest.mark.parametrize("prediction", ["all", "heads", "fused"])
def test_the_prediction_adds_what_it_says(prediction):
    output = model32()(batch32().inputs)
    found = create("bss-heuristic", {"prediction": prediction}).predict(output).logits
    heads = output.modality_logits["audio"] + output.modality_logits["video"]
    expected = {"all": heads + output.logits, "heads": heads, "fused": output.logits}
    torch.testing.assert_close(found, expected[prediction])
