"""The blend against hand-computed weights and against the minimum it is derived from."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import toy_data
from scipy.optimize import minimize

from equipoise.errors import UserError
from equipoise.methods.base import Batch
from equipoise.methods.gblending import Options
from equipoise.methods.gblending.method import Gblending, blend_weights
from equipoise.models.multimodal import Output
from equipoise.training.schedule import learning_rate

BEFORE = {"a": 1.0, "b": 1.0, "": 1.2}
TRAIN = {"a": 0.2, "b": 0.7, "": 0.1}
VAL = {"a": 0.6, "b": 0.8, "": 0.7}


def test_weights_by_hand():
    """G = 0.4, 0.2, 0.5; O = 0.4, 0.1, 0.6; G/O^2 = 2.5, 20, 1.38888..."""
    total = 2.5 + 20 + 0.5 / 0.36
    got = blend_weights((BEFORE, TRAIN), (BEFORE, VAL), 1e-9)
    assert got == pytest.approx({"a": 2.5 / total, "b": 20 / total, "": 0.5 / 0.36 / total})


def test_overfitting_is_a_change_and_not_a_level():
    """The distance before the epochs counts: moving both validation values moves no weight."""
    expected = blend_weights((BEFORE, TRAIN), (BEFORE, VAL), 1e-9)
    higher = [{k: v + 0.3 for k, v in values.items()} for values in (BEFORE, VAL)]
    assert blend_weights((BEFORE, TRAIN), tuple(higher), 1e-9) == pytest.approx(expected)


def test_they_are_the_least_noisy_mixture():
    """Minimise the variance sum_k w_k^2 O_k^2 at a given gain sum_k w_k G_k = 1, numerically."""
    gain, overfitting = np.array([0.4, 0.2, 0.5]), np.array([0.4, 0.1, 0.6])
    found = minimize(
        lambda w: np.sum((w * overfitting) ** 2),
        np.ones(3),
        constraints={"type": "eq", "fun": lambda w: w @ gain - 1},
        tol=1e-12,
    ).x
    got = list(blend_weights((BEFORE, TRAIN), (BEFORE, VAL), 1e-9).values())
    np.testing.assert_allclose(got, found / found.sum(), rtol=1e-4)


def test_properties_of_the_weights():
    generator = np.random.default_rng(0)
    for _ in range(20):
        losses = [dict(zip("abcd", generator.uniform(0, 2, 4), strict=True)) for _ in range(4)]
        train, val = tuple(losses[:2]), tuple(losses[2:])
        weights = blend_weights(train, val, 0.01)
        assert sum(weights.values()) == pytest.approx(1)
        assert all(w >= 0 for w in weights.values())
        turned = [{k: values[k] for k in "cadb"} for values in losses]
        assert blend_weights(tuple(turned[:2]), tuple(turned[2:]), 0.01) == pytest.approx(weights)


def test_no_gain_no_weight_and_no_gain_at_all_equal_weights():
    worse = {"a": 1.5, "b": 0.8, "": 0.7}
    weights = blend_weights((BEFORE, TRAIN), (BEFORE, worse), 0.01)
    assert weights["a"] == 0 and weights["b"] > 0
    rising = {"a": 1.5, "b": 1.0, "": 1.3}
    assert blend_weights((BEFORE, TRAIN), (BEFORE, rising), 0.01) == pytest.approx(
        {"a": 1 / 3, "b": 1 / 3, "": 1 / 3}
    )


def test_a_loss_that_got_worse_has_no_weight_or_that_of_its_absolute_value():
    """G = -0.5, 0.2, 0.5 over O = 1.3, 0.1, 0.6: 0.29586, 20, 1.38889; the first of 21.68475."""
    worse = {"a": 1.5, "b": 0.8, "": 0.7}
    given = (BEFORE, TRAIN), (BEFORE, worse), 0.01
    assert blend_weights(*given, "absolute") == pytest.approx(
        {"a": 0.01364360, "b": 0.9223072, "": 0.06404911}, rel=1e-6
    )
    assert blend_weights(*given) == pytest.approx({"a": 0, "b": 0.935065, "": 0.064935}, rel=1e-5)


def test_no_overfitting_does_not_take_everything():
    train, val = {"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.6}
    start = {"a": 1.0, "b": 1.0}
    weights = blend_weights((start, train), (start, val), 0.1)
    assert weights == pytest.approx({"a": 0.5 / 0.9, "b": 0.4 / 0.9})


def plugin(splits, **options):
    """A plug-in whose model answers with the logits kept in ``splits``."""

    def outputs(rows):
        name = "train" if rows[0] == 0 else "val"
        assert rows[0] < 20, "the test split was read"
        for part in np.array_split(rows, [1]):  # unequal batches
            a, b, z = (torch.tensor([v, 0.0]).repeat(len(part), 1) for v in splits[name])
            yield Output({}, {"a": a, "b": b}, z), torch.zeros(len(part), dtype=torch.int64)

    rows = {"train": np.arange(5), "val": np.arange(10, 14), "test": np.arange(20, 24)}
    method = Gblending("online", Options(**options))
    data = SimpleNamespace(splits=rows, modalities=["a", "b"])
    run = SimpleNamespace(outputs=outputs, first_epoch=3, data=data)
    method.setup(run)
    return method


def test_the_plugin_measures_splits_and_waits_for_a_super_epoch():
    splits = {"train": (0.0, 0.0, 0.0), "val": (0.0, 0.0, 0.0)}
    method = plugin(splits, super_epoch=2)
    method.on_epoch_start(3)
    third = {"weight_a": 1 / 3, "weight_b": 1 / 3, "weight_fused": 1 / 3}
    assert method.on_epoch_end(3, {}) == pytest.approx(third)
    splits |= {"train": (3.0, 1.0, 4.0), "val": (1.0, 0.9, 2.0)}
    method.on_epoch_start(4)
    assert method.on_epoch_end(4, {}) == pytest.approx(third)
    method.on_epoch_start(5)

    def loss(z):
        return np.log1p(np.exp(-z))

    ratios = {}
    for k, t, v in zip(("a", "b", "fused"), splits["train"], splits["val"], strict=True):
        ratios[f"weight_{k}"] = (loss(0) - loss(v)) / (loss(v) - loss(t)) ** 2
    total = sum(ratios.values())
    expected = {k: r / total for k, r in ratios.items()}
    assert method.on_epoch_end(5, {}) == pytest.approx(expected, rel=1e-4)
    batch = Batch({}, torch.zeros(1, dtype=torch.int64), torch.zeros(1))
    logits = [torch.tensor([[v, 0.0]]) for v in (0.5, -1.0, 2.0)]
    blended = method.loss(Output({}, {"a": logits[0], "b": logits[1]}, logits[2]), batch)
    by_hand = sum(w * loss(z) for w, z in zip(expected.values(), (0.5, -1.0, 2.0), strict=True))
    assert blended.item() == pytest.approx(by_hand, rel=1e-4)


def test_fixed_weights_are_taken_as_they_are_and_nothing_is_measured():
    given = {"a": 0.014, "b": 0.63, "fused": 0.356}
    method = plugin({}, weights=given)
    for epoch in (3, 4):
        method.on_epoch_start(epoch)
    assert method.on_epoch_end(4, {}) == {f"weight_{k}": w for k, w in given.items()}
    batch = Batch({}, torch.zeros(1, dtype=torch.int64), torch.zeros(1))
    a, b, z = (torch.tensor([[v, 0.0]]) for v in (0.5, -1.0, 2.0))
    expected = sum(
        w * np.log1p(np.exp(-v)) for w, v in zip(given.values(), (0.5, -1, 2), strict=True)
    )
    assert method.loss(Output({}, {"a": a, "b": b}, z), batch).item() == pytest.approx(expected)
    with pytest.raises(UserError, match="gblending: weights must name a, b, fused"):
        plugin({}, weights={"a": 1, "b": 1})


def alone(model, run, name, epochs):
    """Train one loss of a copy with torch's own optimiser; return its losses on both splits."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=run.settings.weight_decay)

    def loss(batch):
        output = model(batch.inputs)
        z = output.logits if name == "fused" else output.modality_logits[name]
        return -z.log_softmax(1)[torch.arange(len(z)), batch.labels].mean()

    def measured():
        model.eval()
        with torch.no_grad():
            whole = (next(run.data.ordered(run.data.splits[s], 99)) for s in ("train", "val"))
            return [float(loss(batch)) for batch in whole]

    before = measured()
    model.train()
    for epoch in epochs:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(run.settings, epoch)
        rows, seed = run.data.splits["train"], (run.seed, epoch)
        for batch in run.data.shuffled(rows, 16, seed):
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()
    return before, measured()


def test_separate_weights_are_those_of_copies_and_the_run_goes_on_from_where_it_was(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    start, seen = Gblending.on_epoch_start, []

    def watched(self, epoch):
        model = copy.deepcopy(self.run.model)
        plan = start(self, epoch)
        for name, value in self.run.model.state_dict().items():
            assert torch.equal(value, model.state_dict()[name]), name
        if epoch in (1, 4):  # super-epochs of 3 epochs; the last one is cut at the end
            ratios = {}
            for k in ("audio", "video", "fused"):
                (t0, v0), (t1, v1) = alone(model, self.run, k, range(epoch, min(epoch + 3, 5)))
                ratios[k] = max(v0 - v1, 0) / max(abs(v1 - t1 - v0 + t0), 0.01) ** 2
            seen.append({k: r / sum(ratios.values()) for k, r in ratios.items()})
        found = self.on_epoch_end(epoch, {})
        expected = {f"weight_{k}": w for k, w in seen[-1].items()}
        assert found == pytest.approx(expected, rel=2e-2)
        return plan

    monkeypatch.setattr(Gblending, "on_epoch_start", watched)
    toy_data.run_train("gblending-separate", {"super_epoch": 3})
    assert len(seen) == 2 and seen[0] != pytest.approx(seen[1], rel=0.1)
