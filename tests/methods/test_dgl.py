"""DGL: which loss reaches which half of the model, by hand and by gradients taken one by one."""

import math

import pytest
import torch
from small import batch32, model32
from torch import nn

from equipoise.methods.alone import own_logits, zero_out_logits
from equipoise.methods.base import create
from equipoise.methods.dgl.disentangled import constant_zero_out, disentangled_loss
from equipoise.models.fusion import Concat

THREE = ("audio", "image", "video")


def test_the_gradients_by_hand():
    fusion = Concat(["a", "v"], 1, 2).double()
    with torch.no_grad():
        fusion.classifier.weight.copy_(
            torch.tensor([[0.5, -0.3], [-0.2, 0.4]], dtype=torch.float64)
        )
        fusion.classifier.bias.copy_(torch.tensor([0.1, -0.1], dtype=torch.float64))
    h = {
        m: torch.tensor([[x]], dtype=torch.float64, requires_grad=True)
        for m, x in (("a", 1.0), ("v", 2.0))
    }
    y = torch.tensor([0])
    z = fusion({m: x.detach() for m, x in h.items()}, h)
    torch.testing.assert_close(z, torch.tensor([[0.0, 0.5]], dtype=torch.float64))
    alone = constant_zero_out(fusion, h)
    assert alone["a"][0].tolist() == pytest.approx([0.6, -0.3])
    assert alone["v"][0].tolist() == pytest.approx([-0.5, 0.7])
    loss = disentangled_loss(z, alone, y, 4.0)
    by_hand = [math.log(1 + math.exp(wrong)) for wrong in (0.5, -0.9, 1.2)]  # z_wrong - z_true
    assert float(loss.detach()) == pytest.approx(
        by_hand[0] + 4 * (by_hand[1] + by_hand[2]), rel=1e-12
    )
    loss.backward()
    assert float(h["a"].grad) == pytest.approx(-0.809341392649989, rel=1e-12)
    assert float(h["v"].grad) == pytest.approx(2.1518693937972495, rel=1e-12)
    p = 0.6224593312018546  # 1 - softmax(0, 0.5)[0]
    torch.testing.assert_close(
        fusion.classifier.weight.grad,
        torch.tensor([[-p, -2 * p], [p, 2 * p]], dtype=torch.float64),
    )
    assert fusion.classifier.bias.grad.tolist() == pytest.approx([-p, p], rel=1e-12)


def gradients(net, data, **options):
    method = create("dgl", {"clip": None, **options})
    method.attach(net, {})
    net.zero_grad(set_to_none=True)
    output = net(data.inputs, detach_heads=True)
    method.loss(output, data).backward()
    method.after_backward(output, data)
    return {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}


def taken(net, loss, part):
    named = [(n, p) for n, p in net.named_parameters() if n.startswith(part)]
    found = torch.autograd.grad(loss, [p for _, p in named], retain_graph=True)
    return dict(zip([n for n, _ in named], found, strict=True))


@pytest.mark.parametrize("fusion", ["concat", "sum", "film", "gated", "simbamm"])
@pytest.mark.parametrize("names", [("video",), ("audio", "video"), THREE])
def test_encoders_get_the_unimodal_gradient_and_the_fusion_the_joint_one(fusion, names):
    net, data = model32(fusion=fusion, modalities=names).eval(), batch32(names)
    found = gradients(net, data, alpha=3.0)
    output = net(data.inputs)
    ce = nn.functional.cross_entropy
    for m in names:  # the model itself on one modality, all weights alive
        expected = taken(
            net, 3 * ce(net({m: data.inputs[m]}).logits, data.labels), f"encoders.{m}."
        )
        for n, g in expected.items():
            torch.testing.assert_close(found[n], g, rtol=1e-4, atol=1e-6)
    joint = ce(output.logits, data.labels)
    for n, g in taken(net, joint, "fusion.").items():
        torch.testing.assert_close(found[n], g, rtol=1e-4, atol=1e-6)
    assert not any(n.startswith("heads.") for n in found)


def test_an_encoder_does_not_see_the_other_modality():
    net, data = model32(), batch32()
    first = gradients(net, data)
    data.inputs["video"] = torch.randn(6, 5)
    second = gradients(net, data)
    for n, g in first.items():
        assert torch.equal(second[n], g) == n.startswith("encoders.audio.")


def test_the_clip_limits_encoders_and_fusion_together():
    net, data = model32(), batch32()
    whole, cut = gradients(net, data), gradients(net, data, clip=0.1)
    length = torch.cat([g.flatten() for g in whole.values()]).norm()
    assert float(length) > 0.1
    for n, g in whole.items():
        torch.testing.assert_close(cut[n], g * 0.1 / length, rtol=1e-4, atol=1e-8)


def test_zero_out_has_the_whole_bias_and_a_share_its_part():
    net, data = model32(modalities=THREE), batch32(THREE)
    output = net(data.inputs)
    weight, bias = net.fusion.classifier.weight, net.fusion.classifier.bias
    h = output.features["image"]
    zero, own = zero_out_logits(net, output.features), own_logits(net, output.features)
    torch.testing.assert_close(zero["image"], h @ weight[:, 4:8].T + bias)
    torch.testing.assert_close(own["image"], h @ weight[:, 4:8].T + bias / 3)
    gated = model32(fusion="gated")
    features = gated(batch32().inputs).features
    for m, z in own_logits(gated, features).items():
        assert torch.equal(z, zero_out_logits(gated, features)[m])
