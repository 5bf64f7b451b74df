"""MNL: who guides, what is taught, by hand; the loss of both variants."""

import math

import numpy as np
import pytest
import torch
from small import batch32, model32
from torch.nn import functional

from equipoise.methods.base import create
from equipoise.methods.mnl.negative import (
    guides,
    margins,
    mean_logits,
    negative_terms,
    target_terms,
    teaching_loss,
)


def taught(logits, labels, weight, released):
    return teaching_loss(logits, guides(logits, labels), labels, weight, released)


Y = torch.tensor([0])


def t(*rows):
    return torch.tensor(rows, dtype=torch.float64)


Z = {"a": t([3.0, 1.0, 0.0]), "v": t([1.0, 0.8, 0.5])}


def test_the_surer_one_with_the_larger_margin_guides():
    rivals = torch.tensor([1])
    assert float(margins(Z["a"], rivals, Y)) == pytest.approx(2)
    assert float(margins(Z["v"], rivals, Y)) == pytest.approx(0.2)
    assert {m: bool(w) for m, w in guides(Z, Y).items()} == {"a": True, "v": False}
    swapped = {"a": Z["v"], "v": Z["a"]}
    assert {m: bool(w) for m, w in guides(swapped, Y).items()} == {"a": False, "v": True}


def test_nobody_guides_where_margin_and_probability_disagree():
    # a: margin to class 1 is 2, but class 2 takes its probability; v: margin 1.5, surer
    logits = {"a": t([2.0, 0.0, 1.9]), "v": t([1.5, 0.0, -3.0])}
    logits["a"], logits["v"] = logits["a"].clone(), logits["v"].clone()
    fused = (logits["a"] + logits["v"]) / 2
    assert int(fused[0, 1:].argmax()) == 0  # class 1 is the rival: 0 against -0.55
    p = {m: float(z.softmax(1)[0, 0]) for m, z in logits.items()}
    assert p["a"] < p["v"]
    assert not any(bool(w) for w in guides(logits, Y).values())
    assert float(taught(logits, Y, 0.7, True)) == 0


def test_of_equal_modalities_the_last_guides():
    same = {"a": Z["a"], "v": Z["a"]}
    assert {m: bool(w) for m, w in guides(same, Y).items()} == {"a": False, "v": True}


def test_of_three_the_largest_in_both_guides_all_others_and_one_alone_nobody():
    three = {"a": Z["v"], "b": Z["a"], "c": t([0.0, 0.5, 0.0])}
    assert {m: bool(w) for m, w in guides(three, Y).items()} == {"a": False, "b": True, "c": False}
    by_hand = sum(
        0.7 * float(-p * q)
        for m in "ac"
        for p, q in zip(Z["a"].softmax(1)[0, 1:], three[m].log_softmax(1)[0, 1:], strict=True)
    )
    assert float(taught(three, Y, 0.7, False)) == pytest.approx(by_hand)
    assert float(taught({"a": Z["a"]}, Y, 0.7, False)) == 0


def test_what_is_taught_by_hand():
    e = target_terms(Z["v"], Y) + 0.7 * negative_terms(Z["v"], Z["a"], Y)
    assert e[0].tolist() == pytest.approx([0.8859393177, 0.0868063398, 0.0407563817])
    assert float(taught(Z, Y, 0.7, True)) == pytest.approx(0.3378340131)
    paper = float(taught(Z, Y, 0.7, False))
    assert paper == pytest.approx(0.0868063398 + 0.0407563817)


def test_unguided_samples_count_in_the_mean():
    two = {m: torch.cat([z, torch.zeros(1, 3, dtype=torch.float64)]) for m, z in Z.items()}
    two["a"][1] = torch.tensor([2.0, 0.0, 1.9])
    two["v"][1] = torch.tensor([1.5, 0.0, -3.0])
    found = taught(two, torch.tensor([0, 0]), 0.7, True)
    assert float(found) == pytest.approx(0.3378340131 / 2)


def test_the_teacher_gets_no_gradient_and_the_true_class_none_in_the_paper():
    a, v = (z.clone().requires_grad_() for z in Z.values())
    taught({"a": a, "v": v}, Y, 0.7, False).backward()
    assert a.grad is None or not a.grad.any()
    p, q = Z["a"].softmax(1)[0].numpy(), Z["v"].softmax(1)[0].numpy()
    told = np.array([0, p[1], p[2]])
    np.testing.assert_allclose(v.grad[0].numpy(), 0.7 * (told.sum() * q - told), rtol=1e-10)


@pytest.mark.parametrize("variant", ["paper", "released_code"])
def test_the_loss_of_the_variants(variant):
    method = create(f"mnl-{variant}", {})
    net, data = model32(fusion=method.fusion("concat")), batch32()
    method.attach(net, {})
    method._teaches = True
    method._means = torch.nn.Module()
    method._means.add = lambda values: None
    output = net(data.inputs)
    z = {m: z.detach().double() for m, z in output.modality_logits.items()}
    fused = (z["audio"] + z["video"]) / 2
    ce = functional.cross_entropy
    expected = float(ce(fused, data.labels) + sum(ce(each, data.labels) for each in z.values()))
    for i, y in enumerate(data.labels.tolist()):
        wrong = [c for c in range(3) if c != y]
        j = max(wrong, key=lambda c: float(fused[i, c]))
        xi = {m: float(each[i, y] - each[i, j]) for m, each in z.items()}
        p = {m: each[i].softmax(0) for m, each in z.items()}
        for teacher, guided in (("audio", "video"), ("video", "audio")):
            if xi[teacher] <= xi[guided] or p[teacher][y] <= p[guided][y]:
                continue
            told = 0.7 * sum(-float(p[teacher][c]) * math.log(p[guided][c]) for c in wrong)
            if variant == "released_code":
                told = (told - math.log(p[guided][y])) / 3
            expected += told / 6
    assert float(method.loss(output, data).detach()) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(
        method.predict(output).logits, mean_logits(list(output.modality_logits.values()))
    )


def test_the_paper_begins_to_teach_after_its_warmup_and_the_code_at_once():
    class Run:
        first_epoch, device, model = 3, torch.device("cpu"), model32()

    for variant, expected in (("paper", [False, False, True]), ("released_code", [True] * 3)):
        method = create(f"mnl-{variant}", {"warmup_epochs": 2})
        method.attach(Run.model, {})
        method.setup(Run)
        found = []
        for epoch in (3, 4, 5):
            phase = method.on_epoch_start(epoch).phase
            found.append(method._teaches)
            assert (phase == "warm-up") != method._teaches
        assert found == expected
