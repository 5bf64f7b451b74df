"""Data Remixing: information by hand, who keeps what, and that groups do not meet in a step."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small import batch32, model32
from torch.nn.functional import cross_entropy

from equipoise.methods.base import create
from equipoise.methods.remix.method import assigned, information, kept_loss
from equipoise.training.order import arranged

CPU = torch.device("cpu")


def logits(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).clamp_min(1e-30).log()


def test_information_of_three_classes_by_hand():
    found = information(logits((0.7, 0.2, 0.1), (0.4, 0.4, 0.2), (1, 0, 0), (1 / 3,) * 3))
    assert found.tolist() == pytest.approx([0.4281828513, 0.0630344058, 1.5849625, 0.0], abs=1e-6)
    assert information(logits((0.25,) * 4)).item() == pytest.approx(0.0, abs=1e-9)


def test_a_sample_goes_to_the_modality_that_is_least_sure_and_a_tie_to_the_last():
    t = torch.tensor
    assert assigned({"a": t([0.4, 0.1, 0.3]), "v": t([0.1, 0.4, 0.3])}).tolist() == [1, 0, 1]
    three = {"a": t([0.2, 0.1]), "b": t([0.1, 0.2]), "c": t([0.1, 0.3])}
    assert assigned(three).tolist() == [2, 0]


def test_every_sample_goes_to_a_head_that_knows_nothing():
    flat, sure = torch.zeros(5, 3), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert assigned({"a": information(flat), "v": information(sure)}).tolist() == [0] * 5


def test_the_loss_of_kept_heads_is_that_of_each_on_its_samples():
    z = {
        m: torch.randn(4, 3, generator=torch.Generator().manual_seed(i)) for i, m in enumerate("av")
    }
    labels, keep = torch.tensor([0, 1, 2, 0]), torch.tensor([True, False, False, True])
    parts = [cross_entropy(z[m][k], labels[k]) for m, k in (("a", keep), ("v", ~keep))]
    found = kept_loss(z, {"a": keep, "v": ~keep}, labels)
    assert found.item() == pytest.approx((0.5 * parts[0] + 0.5 * parts[1]).item())
    whole = kept_loss(z, {"a": keep | True, "v": keep & False}, labels)
    assert whole.item() == pytest.approx(cross_entropy(z["a"], labels).item())


def plugin(variant="paper", **options):
    """Six training samples; head a is sure of the samples 0, 1, 2, 3, head v of the others."""
    net = model32(modalities=("a", "v"))
    method = create(f"remix-{variant}", {"warmup_epochs": 1, **options})
    sure, unsure = torch.tensor([9.0, 0.0, 0.0]), torch.tensor([1.0, 0.0, 0.0])

    def outputs(rows):
        for row in rows.tolist():
            pair = (sure, unsure) if row < 4 else (unsure, sure)
            heads = {m: z[None] for m, z in zip("av", pair, strict=True)}
            yield SimpleNamespace(modality_logits=heads), torch.tensor([0])

    data = SimpleNamespace(splits={"train": np.arange(6)})
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    method.attach(net, {})
    run = SimpleNamespace(model=net, data=data, outputs=outputs, first_epoch=1, device=CPU)
    run.optimizer, run.autocast = optimizer, nullcontext
    method.setup(run)
    return method


@pytest.mark.parametrize(
    ("variant", "kept"), [("paper", ["v", "a", "v"]), ("released_code", ["v", "v", "a"])]
)
def test_batches_hold_one_modality_and_come_in_the_order_of_the_variant(variant, kept):
    method = plugin(variant)
    assert method.on_epoch_start(1).keep is None
    assert method.on_epoch_end(1, {}) == {"share_a": 1.0, "share_v": 1.0}
    plan = method.on_epoch_start(2)
    assert plan.keep["a"].tolist() == [False] * 4 + [True] * 2
    assert (plan.keep["a"] != plan.keep["v"]).all(), "every sample keeps one modality"
    batches = arranged(6, 2, (0, 2), plan)
    assert ["a" if plan.keep["a"][batch].all() else "v" for batch in batches] == kept
    assert all(len(set(plan.keep["a"][batch])) == 1 for batch in batches)
    assert method.on_epoch_end(2, {}) == {"share_a": 2 / 6, "share_v": 4 / 6}


def test_a_batch_of_one_modality_moves_nothing_of_the_other():
    method = plugin()
    data = batch32(("a", "v"))
    data.keep = {"a": torch.zeros(6, dtype=torch.bool), "v": torch.ones(6, dtype=torch.bool)}
    before = {name: p.clone() for name, p in method.model.named_parameters()}
    _, loss = method.train_step(data)
    only = model32(modalities=("a", "v"))({"v": data.inputs["v"]})
    expected = cross_entropy(only.logits, data.labels)
    expected = expected + cross_entropy(only.modality_logits["v"], data.labels)
    assert loss.item() == pytest.approx(expected.item())
    after = dict(method.model.named_parameters())
    moved = {name for name, p in before.items() if not torch.equal(p, after[name])}
    assert moved == {
        *(f"encoders.v.{part}" for part in ("weight", "bias")),
        *(f"heads.v.{part}" for part in ("weight", "bias")),
        *(f"fusion.classifier.{part}" for part in ("weight", "bias")),
    }
    blocks = (after["fusion.classifier.weight"] != before["fusion.classifier.weight"]).chunk(2, 1)
    assert not blocks[0].any() and blocks[1].any()


def test_the_warm_up_has_the_losses_of_the_fusion_and_of_all_heads():
    method, data = plugin(head_weight=0.25), batch32(("a", "v"))
    output = method.model(data.inputs)
    heads = sum(cross_entropy(z, data.labels) for z in output.modality_logits.values())
    expected = cross_entropy(output.logits, data.labels) + 0.25 * heads
    assert method.loss(output, data).item() == pytest.approx(expected.item())
