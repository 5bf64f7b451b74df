"""MLA: P against the closed forms, entropy fusion against sums written out, the steps by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equipoise.errors import UserError
from equipoise.methods.base import Batch
from equipoise.methods.mla import Options
from equipoise.methods.mla.method import (
    Mla,
    entropy_weights,
    fused,
    regulariser,
    updated,
    updated_elementwise,
)
from equipoise.modalities.base import Input
from equipoise.models.build import build_model
from equipoise.models.multimodal import Output
from equipoise.params import Encoder, Train


def features(count, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("a", [0.01, 0.1, 3.0])
def test_the_recursion_equals_the_inverse_of_what_was_seen(a):
    rows = features(9, 6)
    projection = torch.eye(6, dtype=torch.float64)
    for row in rows:
        projection = updated(projection, row, a)
    expected = np.linalg.inv(np.eye(6) + rows.T.numpy() @ rows.numpy() / a)
    np.testing.assert_allclose(projection, expected, rtol=1e-9, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(projection)
    assert eigenvalues.min() > 0 and eigenvalues.max() <= 1


def test_without_regulariser_it_is_the_projection_away_from_what_was_seen():
    rows = features(3, 6)
    projection = torch.eye(6, dtype=torch.float64)
    for row in rows:
        projection = updated(projection, row, 1e-12)
    basis = np.linalg.qr(rows.T.numpy())[0]
    np.testing.assert_allclose(projection, np.eye(6) - basis @ basis.T, atol=1e-8)
    np.testing.assert_allclose(projection @ projection, projection, atol=1e-8)
    other = features(1, 6, seed=1)[0]
    step = torch.outer(torch.ones(2, dtype=torch.float64), other) @ projection.T
    np.testing.assert_allclose(step @ rows.T, 0, atol=1e-7)  # old logits stay


def test_the_order_of_features_does_not_matter():
    rows, results = features(4, 5), []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        projection = torch.eye(5, dtype=torch.float64)
        for i in order:
            projection = updated(projection, rows[i], 0.1)
        results.append(projection)
    np.testing.assert_allclose(*results, atol=1e-12)


def test_the_element_wise_form_entry_by_entry():
    p, r, a = features(3, 3), features(1, 3, seed=2)[0], 0.5
    gain = [sum(float(p[i, j] * r[j]) for j in range(3)) for i in range(3)]
    got = updated_elementwise(p, r, a)
    for i in range(3):
        for j in range(3):
            expected = float(p[i, j]) - gain[i] * gain[j] / (a + gain[i] * float(r[j]))
            assert float(got[i, j]) == pytest.approx(expected)
    one = torch.ones(1, dtype=torch.float64)  # with one feature both forms are the same
    assert torch.equal(updated_elementwise(one[None], one, a), updated(one[None], one, a))


def test_the_schedule_falls_by_a_power_within_an_epoch():
    assert [regulariser(0.1, s, 4) for s in (0, 2)] == pytest.approx([0.1, 0.1**1.5])
    assert regulariser(0.5, 3, 3) == pytest.approx(0.25)


LOGITS = {"a": [[2.0, 0.0], [0.0, 0.0]], "b": [[0.5, 0.0], [0.0, 3.0]]}


def test_entropy_fusion_is_the_sum_of_its_definition():
    stacked = torch.tensor(list(LOGITS.values()), dtype=torch.float64)
    weights, whole = entropy_weights(stacked), fused(dict(zip("ab", stacked, strict=True)), None)
    for i in range(2):
        entropies = []
        for m in range(2):
            powers = [math.exp(z) for z in stacked[m, i].tolist()]
            p = [v / sum(powers) for v in powers]
            entropies.append(-sum(v * math.log(v) for v in p))
        raw = [math.exp(max(entropies) - h) for h in entropies]
        expected = [r / sum(raw) for r in raw]
        np.testing.assert_allclose(weights[:, i], expected, rtol=1e-12)
        np.testing.assert_allclose(
            whole[i], sum(w * stacked[m, i].numpy() for m, w in enumerate(expected))
        )
    assert weights[0, 0] > weights[1, 0] and weights[0, 1] < weights[1, 1]  # the surer one
    turned = fused({"b": stacked[1], "a": stacked[0]}, None)
    np.testing.assert_allclose(turned, whole)
    fixed = fused(dict(zip("ab", stacked, strict=True)), {"a": 3, "b": 1})
    np.testing.assert_allclose(fixed, 0.75 * stacked[0] + 0.25 * stacked[1])


def test_certain_and_single_modalities():
    certain = torch.tensor([[[1000.0, 0.0]], [[0.0, 0.0]]], dtype=torch.float64)
    weights = entropy_weights(certain)[:, 0]
    assert weights.sum().item() == pytest.approx(1)
    assert (weights[0] / weights[1]).item() == pytest.approx(2)  # exp(log 2 - 0)
    alone = certain[0]
    assert torch.equal(fused({"a": alone}, None), alone)


def weights_of(variant, names=("audio", "video"), **options):
    """Weights in the prediction: the answer to logits 1 of one modality, 0 of the others."""
    method = Mla(variant, Options(**options))
    model = SimpleNamespace(modalities=list(names), heads={m: torch.nn.Identity() for m in names})
    method.attach(model, {})
    found = []
    for one in names:
        logits = {m: torch.full((1, 2), float(m == one)) for m in names}
        found.append(float(method.predict(Output({}, logits, torch.zeros(1, 2))).logits[0, 0]))
    return found


def test_fixed_weights_are_those_of_the_program_as_it_runs_itself():
    for variant in ("released_code", "released_projection"):
        assert weights_of(variant) == pytest.approx([0.55, 0.45])
        three = ("audio", "text", "video")
        assert weights_of(variant, three) == pytest.approx([1 / 3] * 3)
        given = {"audio": 0.35, "text": 0.4, "video": 0.25}
        assert weights_of(variant, three, weights=given) == pytest.approx([0.35, 0.4, 0.25])
    # Flat logits: all entropies are the same.
    assert weights_of("paper") == weights_of("released_code", dynamic=True) == [0.5, 0.5]
    assert weights_of("paper", dynamic=False, weights={"audio": 1, "video": 3}) == [0.25, 0.75]
    with pytest.raises(UserError, match="mla: weights must name audio, video"):
        weights_of("paper", weights={"audio": 1})


def test_three_modalities_by_hand_in_either_order():
    logits = {m: torch.tensor([[z, 0.0]]).double() for m, z in (("a", 2.0), ("b", 0.5), ("c", 0.0))}
    raw = []
    for z in (2.0, 0.5, 0.0):
        p = 1 / (1 + math.exp(-z))
        raw.append(math.exp(p * math.log(p) + (1 - p) * math.log(1 - p)))
    expected = sum(r * z for r, z in zip(raw, (2.0, 0.5, 0.0), strict=True)) / sum(raw)
    for names in ("abc", "cab"):
        got = fused({m: logits[m] for m in names}, None)
        assert float(got[0, 0]) == pytest.approx(expected)


SHAPES = {"audio": Input("spectrogram", (9, 8)), "video": Input("pictures", (2, 3, 12, 12))}
TRAIN = Train(optimizer="sgd", learning_rate=0.1, momentum=0.0, weight_decay=0.0, batch_size=4)


def plugin(variant="paper", **options):
    torch.manual_seed(0)
    names = {"audio": Encoder(name="conv_spectrogram"), "video": Encoder(name="conv_frames")}
    method = Mla(variant, Options(**options))
    model = build_model(SHAPES, names, method.fusion("concat"), 4, 3)
    method.attach(model, {})
    run = SimpleNamespace(
        model=model,
        settings=TRAIN,
        device=torch.device("cpu"),
        data=SimpleNamespace(splits={"train": np.arange(8)}),
        autocast=lambda: torch.autocast("cpu", enabled=False),
    )
    method.setup(run)
    for group in run.optimizer.param_groups:
        group["lr"] = 0.1
    return method, model


def batch(seed=1):
    torch.manual_seed(seed)
    inputs = {"audio": torch.randn(4, 9, 8), "video": torch.randn(4, 2, 3, 12, 12)}
    return Batch(inputs, torch.tensor([0, 1, 2, 0]), torch.arange(4))


def test_one_head_is_shared_and_attaching_again_changes_nothing():
    method, model = plugin()
    head = model.heads["audio"]
    assert model.heads["video"] is head
    method.attach(model, {})
    assert model.heads["audio"] is model.heads["video"] is head
    trained = {id(p) for g in method.run.optimizer.param_groups for p in g["params"]}
    assert trained == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("variant", ["paper", "released_code", "released_projection"])
def test_two_steps_of_the_head_by_hand(variant, normalise):
    """The gradient of softmax regression, the projection and the step are worked out in numpy."""
    method, model = plugin(variant, normalise=normalise)
    method.on_epoch_start(1)
    weight, bias = (p.detach().double().numpy().copy() for p in model.heads["audio"].parameters())
    projection, losses = np.eye(4), []
    kept = {m: [p.clone() for p in ps] for m, ps in model.groups().encoders.items()}
    one, made = batch(), {}
    for m in ("audio", "video"):
        model.train()
        with torch.no_grad():
            made[m] = model.encoders[m](one.inputs[m]).double().numpy()
    for step in range(2):
        a = 0.1 ** (1 + step / 2)
        output, loss = method.train_step(one)
        losses = []
        for m in ("audio", "video"):
            if step:
                made[m] = output.features[m].double().numpy()
            np.testing.assert_allclose(output.features[m], made[m], rtol=1e-4, atol=1e-5)
            z = made[m] @ weight.T + bias
            p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
            y = np.eye(3)[one.labels.numpy()]
            losses.append(-np.log((p * y).sum(1)).mean())
            gradient = (p - y).T @ made[m] / 4
            if variant != "released_code" and (step or m == "video"):
                r = made[m].mean(0)
                gain = projection @ r
                below = r @ gain if variant == "paper" else np.outer(gain, r)
                projection = projection - np.outer(gain, gain) / (a + below)
                if normalise:
                    projection = projection / np.sqrt((projection**2).sum())
                gradient = gradient @ projection.T
            weight, bias = weight - 0.1 * gradient, bias - 0.1 * (p - y).mean(0)
        assert loss.item() == pytest.approx(np.mean(losses), rel=1e-4)
    head = model.heads["video"]
    np.testing.assert_allclose(head.weight.detach(), weight, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(head.bias.detach(), bias, rtol=1e-3, atol=1e-5)
    for m, parameters in model.groups().encoders.items():
        assert any(not torch.equal(p, k) for p, k in zip(parameters, kept[m], strict=True))


def test_the_position_in_the_epoch_and_the_matrix_are_state():
    method, _ = plugin()
    method.on_epoch_start(1)
    method.train_step(batch())
    state = method.state_dict()
    other, _ = plugin()
    other.load_state_dict(state)
    assert torch.equal(other.state_dict()["projection"], state["projection"])
    assert (state["step"], state["first"]) == (1, False)
    assert not torch.equal(state["projection"], torch.eye(4))
    assert 0 < method.on_epoch_end(1, {})["free"] < 1
    method.on_epoch_start(2)
    assert method.state_dict()["step"] == 0
