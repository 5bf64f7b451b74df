"""A modality that a sample does not keep: what the fusion sees, and what a step trains on."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import small
import torch

from equipoise.methods.base import Method
from equipoise.models import fusion as fusions
from equipoise.section import Section


@pytest.mark.parametrize("fusion", sorted(fusions.FUSIONS))
def test_a_modality_that_a_sample_does_not_keep_is_absent_to_the_fusion(fusion):
    names = ("audio", "image", "video")
    net, data = small.model(fusion, names), small.batch(names, count=3)
    net.eval()  # a fusion may have dropout
    kept = [("audio",), ("audio", "video"), ("audio", "image", "video")]
    keep = {m: torch.tensor([m in names for names in kept]) for m in data.inputs}
    features = net.encode(data.inputs)
    found = net.classify(features, keep=keep)
    for i, names in enumerate(kept):
        alone = net.classify({m: features[m][i : i + 1] for m in names})
        torch.testing.assert_close(found.logits[i : i + 1], alone.logits)
    whole = net.classify(features)
    for m in data.inputs:
        assert torch.equal(found.modality_logits[m], whole.modality_logits[m])


class Nothing(Section):
    """No options."""


def test_a_step_trains_on_what_is_kept_and_shows_what_all_modalities_predict():
    net, data = small.model32(), small.batch32()
    data.keep = {"audio": torch.zeros(6, dtype=torch.bool), "video": torch.ones(6).bool()}
    method = Method("", Nothing())
    method.attach(net, {})
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    method.run = SimpleNamespace(model=net, optimizer=optimizer, autocast=nullcontext)
    output, loss = method.train_step(data)
    whole, only = net(data.inputs), net({"video": data.inputs["video"]})
    assert torch.equal(output.logits, whole.logits)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(only.logits, data.labels))
    parts = net.groups()
    assert all(not p.grad.any() for p in parts.encoders["audio"])
    assert all(p.grad.any() for p in parts.encoders["video"])
    audio, video = net.fusion.classifier.weight.grad.chunk(2, dim=1)
    assert not audio.any() and video.any()
    assert net.heads["audio"].weight.grad.any(), "a probe shows what its encoder has learnt"
