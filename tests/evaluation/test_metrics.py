import numpy as np
import pytest
import sklearn.metrics
import torch
from scipy import special
from torchmetrics.functional.classification import (
    multiclass_average_precision,
    multiclass_calibration_error,
)

from equipoise.errors import UserError
from equipoise.evaluation import metrics


def logits_of(predicted, classes):
    return np.eye(classes)[predicted] * 3.0


def test_score_by_hand():
    labels = np.array([0, 0, 1, 1, 2])
    fused = logits_of([0, 1, 1, 1, 2], 3)
    heads = {"video": logits_of([0, 0, 0, 0, 0], 3), "audio": logits_of([0, 0, 1, 1, 0], 3)}
    result = metrics.score(labels, fused, heads, 3)
    assert result["samples"] == 5
    assert result["accuracy"] == pytest.approx(0.8)
    # F1: class 0: 2*1/(2+1) = 2/3; class 1: 2*2/(2+3) = 4/5; class 2: 1
    assert result["macro_f1"] == pytest.approx((2 / 3 + 4 / 5 + 1) / 3)
    assert result["accuracy_by_modality"] == {"audio": 0.8, "video": 0.4}
    # audio: 4/5, 1, 0; video: 4/7, 0, 0
    assert result["macro_f1_by_modality"]["audio"] == pytest.approx((4 / 5 + 1 + 0) / 3)
    assert result["macro_f1_by_modality"]["video"] == pytest.approx(4 / 7 / 3)
    assert result["modality_gap"] == pytest.approx(0.4)
    assert result["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 0, 1]]


def binary(*confidences):
    """Probabilities of two classes, class 0 on top."""
    return np.array([[c, 1 - c] for c in confidences])


def test_calibration_error_by_hand():
    # 0.55 and 0.65 lie in different bins of 1/15, 0.98 and 0.99 in the last one.
    p, labels = binary(0.55, 0.65, 0.98, 0.99), np.array([0, 1, 0, 1])
    expected = (abs(1 - 0.55) + abs(0 - 0.65) + abs(1 - 0.98 - 0.99)) / 4
    assert metrics.calibration_error(labels, p) == pytest.approx(expected)
    assert metrics.calibration_error(labels, p, bins=1) == pytest.approx(3.17 / 4 - 0.5)
    assert metrics.calibration_error(np.array([0, 1]), binary(1.0, 0.0)) == 0


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    p = binary(0.75, 0.74, 0.76)  # 4 bins: the edge 0.75 goes with 0.74
    labels = np.array([1, 0, 0])
    expected = (abs(1 - 0.75 - 0.74) + abs(1 - 0.76)) / 3
    assert metrics.calibration_error(labels, p, bins=4) == pytest.approx(expected)


def test_calibration_and_average_precision_as_torchmetrics_has_them():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 4, 200), rng.normal(0, 1, (200, 4))
    logits[np.arange(200), labels] += 1
    p = metrics.probabilities(logits)
    given = torch.from_numpy(p), torch.from_numpy(labels)
    ece = multiclass_calibration_error(*given, num_classes=4, n_bins=15, norm="l1")
    assert metrics.calibration_error(labels, p) == pytest.approx(float(ece), abs=1e-6)
    mean = multiclass_average_precision(*given, num_classes=4, average="macro")
    assert metrics.mean_average_precision(labels, p) == pytest.approx(float(mean), abs=1e-6)


def test_average_precision_by_hand_leaves_out_a_class_without_a_sample():
    labels = np.array([0, 0, 1, 1])
    p = np.array([[0.9, 0.1, 0], [0.3, 0.7, 0], [0.4, 0.5, 0.1], [0.2, 0.8, 0]])
    # class 0: hits at ranks 1 and 3; class 1, by its own column: 0.8 hit, 0.7 miss, 0.5 hit
    expected = ((1 + 2 / 3) / 2 + (1 + 2 / 3) / 2) / 2
    assert metrics.mean_average_precision(labels, p) == pytest.approx(expected)
    logits = np.log(p + 1e-9)
    result = metrics.score(labels, logits, {"a": logits}, 3)
    assert result["absent_classes"] == [2]
    assert result["map"] == result["map_by_modality"]["a"] == pytest.approx(expected)


def test_confusion_keeps_classes_that_do_not_occur():
    result = metrics.score(np.array([0, 1]), logits_of([0, 1], 4), {}, 4)
    assert np.array(result["confusion"]).shape == (4, 4)
    assert result["macro_f1"] == 1.0
    assert result["modality_gap"] is None


def test_one_modality_has_no_gap():
    heads = {"image": logits_of([0, 0], 2)}
    result = metrics.score(np.array([0, 1]), logits_of([0, 1], 2), heads, 2)
    assert result["modality_gap"] is None
    assert result["accuracy_by_modality"] == {"image": 0.5}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_diverged_head_is_named(bad):
    heads = {"audio": np.full((2, 2), bad)}
    with pytest.raises(UserError, match="audio head gives logits that are not finite"):
        metrics.score(np.array([0, 1]), logits_of([0, 1], 2), heads, 2)


def test_no_sample():
    with pytest.raises(UserError, match="no sample"):
        metrics.score(np.zeros(0, int), np.zeros((0, 3)), {}, 3)


def test_probability_of_the_true_class_does_not_overflow():
    logits = np.array([[1000.0, 0.0], [0.0, np.log(3)]], dtype=np.float32)
    probability = metrics.true_class_probability(np.array([0, 1]), logits)
    assert probability == pytest.approx([1.0, 0.75], rel=1e-6)


@pytest.mark.parametrize("decimals", [1, 12])
@pytest.mark.parametrize("seed", range(20))
def test_the_numbers_are_those_of_scikit_learn_and_scipy_to_the_bit(seed, decimals):
    rng = np.random.default_rng(seed)
    count, classes = int(rng.integers(1, 300)), int(rng.integers(2, 30))
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 2, (count, classes)).astype(np.float32).round(decimals)  # 1: with ties
    p, predicted = metrics.probabilities(logits), logits.argmax(axis=1)
    assert (p == special.softmax(logits.astype(np.float64), axis=1)).all()
    precisions = [
        sklearn.metrics.average_precision_score(labels == k, p[:, k]) for k in np.unique(labels)
    ]
    assert metrics.mean_average_precision(labels, p) == np.mean(precisions)
    f1 = sklearn.metrics.f1_score(labels, predicted, average="macro", zero_division=0.0)
    assert metrics.macro_f1(labels, predicted) == f1
    table = sklearn.metrics.confusion_matrix(labels, predicted, labels=range(classes))
    assert (metrics.confusion(labels, predicted, classes) == table).all()
