"""OGM-GE by hand: ratios, coefficients, which gradients change, and the noise."""

import math

import numpy as np
import pytest
import torch
from small import batch32 as batch
from small import model32 as model
from torch import nn

from equipoise.errors import UserError
from equipoise.gap.scores import true_class_scores
from equipoise.methods.base import create
from equipoise.methods.modulation import Means, relative_scores, scale_gradients
from equipoise.methods.ogm.method import add_noise, chosen, coefficients, deviations


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def step(net, data, variant="ogm", **options):
    """Do backward and modulation as the loop does, without a run; return the gradients."""
    method = create(f"ogm-{variant}", options)
    method.attach(net, {})
    method._chosen = {
        m: chosen(ps, method.options.parameters) for m, ps in net.groups().encoders.items()
    }
    method._means, method._active = Means(net.modalities, torch.device("cpu")), True
    net.zero_grad()
    output = net(data.inputs, detach_heads=True)
    method.loss(output, data).backward()
    before = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    method.after_backward(output, data)
    after = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    return before, after, method._means.row("k")


def test_the_ratio_of_two_is_that_of_their_sums_and_one_is_the_inverse_of_the_other():
    ratios = relative_scores({"a": t(0.9, 0.6), "v": t(0.2, 0.3)})
    assert float(ratios["a"]) == pytest.approx(3.0)
    assert float(ratios["v"]) == pytest.approx(1 / 3)


def test_the_ratio_of_three_is_against_the_mean_of_the_others_whatever_their_order():
    scores = {"a": t(0.9), "b": t(0.6), "c": t(0.3)}
    ratios = relative_scores(scores)
    assert [float(ratios[m]) for m in "abc"] == pytest.approx([0.9 / 0.45, 0.6 / 0.6, 0.3 / 0.75])
    swapped = relative_scores({m: scores[m] for m in "cab"})
    for m in "abc":
        torch.testing.assert_close(swapped[m], ratios[m])


def test_scores_of_zero_give_finite_coefficients():
    ratios = relative_scores({"a": t(0.5), "v": t(0.0)})
    assert all(math.isfinite(k) for k in coefficients(ratios, 0.8).values())
    far = relative_scores({"a": torch.full((32,), 0.9), "v": torch.zeros(32)})
    assert coefficients(far, 0.0)["a"] == 1.0  # 0 times a ratio without bound


def test_the_coefficient_by_hand_and_within_its_bounds():
    k = coefficients({"a": t(3.0)[0], "v": t(1 / 3)[0], "e": t(1.0)[0]}, 0.8)
    e = math.exp(2 * 0.8 * 3)
    assert float(k["a"]) == pytest.approx(1 - (e - 1) / (e + 1))
    assert float(k["v"]) == 1 and float(k["e"]) == 1
    many = coefficients({str(r): t(r)[0] for r in np.linspace(0.01, 9, 50)}, 0.3)
    assert all(0 < float(value) <= 1 for value in many.values())
    assert float(coefficients({"a": t(3.0)[0]}, 0.0)["a"]) == 1


@pytest.mark.parametrize("names", [("audio", "video"), ("audio", "image", "video")])
def test_only_dominant_encoders_are_scaled_and_by_the_coefficient(names):
    net, data = model(modalities=names), batch(names)
    with torch.no_grad():  # the first modality knows the answer
        net.fusion.classifier.weight[:, :4] = 0
        net.encoders[names[0]].weight.zero_()
        net.encoders[names[0]].bias.fill_(1.0)
        net.fusion.classifier.weight[0, :4] = 2.0
    data.labels = torch.zeros_like(data.labels)
    split = net.fusion.split(net(data.inputs).features)
    sums = {m: float(s.detach().sum()) for m, s in true_class_scores(split, data.labels).items()}
    before, after, means = step(net, data, alpha=0.5)
    scaled = []
    for m in names:
        rho = sums[m] / np.mean([value for other, value in sums.items() if other != m])
        k = 1 - math.tanh(0.5 * rho) if rho > 1 else 1.0
        scaled.append(k < 1)
        assert means[f"k_{m}"] == pytest.approx(k, rel=1e-5)
        for part in ("weight", "bias"):
            name = f"encoders.{m}.{part}"
            torch.testing.assert_close(after[name], k * before[name], rtol=1e-5, atol=0)
    assert scaled[0] and not all(scaled)
    assert torch.equal(after["fusion.classifier.weight"], before["fusion.classifier.weight"])


def test_which_parameters_each_option_takes():
    encoder = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(4, 4))
    dims = {
        which: [p.dim() for p in chosen(encoder.parameters(), which)]
        for which in ("all", "weights", "conv")
    }
    assert dims == {"all": [4, 1, 1, 1, 2, 1], "weights": [4, 2], "conv": [4]}


def test_the_noise_has_the_deviation_of_the_unscaled_gradient_and_mean_zero():
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.zeros(200, 200))
    parameter.grad = 3 * torch.randn(200, 200) + 1
    first = parameter.grad.clone()
    std = deviations([parameter])
    assert float(std[0]) == pytest.approx(np.std(first.numpy(), ddof=1), rel=1e-4)
    scale_gradients([parameter], torch.tensor(0.25))
    add_noise([parameter], std)
    noise = (parameter.grad - 0.25 * first).numpy()
    assert np.std(noise) == pytest.approx(3, rel=0.02)
    assert abs(np.mean(noise)) < 5 * 3 / 200
    assert abs(np.corrcoef(noise.ravel(), first.numpy().ravel())[0, 1]) < 0.03


def test_a_gradient_of_one_element_has_no_deviation_and_one_that_is_missing_is_skipped():
    one, none = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(3))
    one.grad = torch.ones(1)
    add_noise([one, none], deviations([one, none]))
    assert one.grad.item() == 1 and none.grad is None


def test_ge_adds_noise_to_every_encoder_and_to_nothing_else():
    net, data = model(), batch()
    before, after, _ = step(net, data, "ogm_ge", alpha=0.0)
    for name in before:
        assert torch.equal(after[name], before[name]) == (not name.startswith("encoders"))


def test_a_fusion_that_is_no_sum_is_refused_before_training(tmp_path, monkeypatch):
    import toy_data

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    gated = toy_data.MODEL.model_copy(update={"fusion": "gated"})
    with pytest.raises(UserError, match="set scores: heads"):
        toy_data.run_train("ogm", model=gated)
    toy_data.run_train("ogm", {"scores": "heads"}, model=gated)


def test_outside_of_its_epochs_nothing_is_modulated(tmp_path, monkeypatch):
    import csv

    import toy_data

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    paths = toy_data.run_train("ogm-ogm", {"from_epoch": 2, "to_epoch": 3})
    with paths["history"].open() as file:
        rows = list(csv.DictReader(file))
    low = [min(float(r[f"method_coefficient_{m}"]) for m in ("audio", "video")) < 1 for r in rows]
    assert low == [False, True, True, False]
