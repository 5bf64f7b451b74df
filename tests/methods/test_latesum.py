"""The late sum: the loss of bss without its sampling, the training of unimodal."""

import pytest
import torch
import toy_data
from safetensors.torch import load_file
from small import batch32, model32
from torch.nn.functional import cross_entropy

from equipoise.methods.base import create


def test_with_the_fusion_it_is_bss_without_its_sampling():
    net, data = model32(), batch32()
    output = net(data.inputs)
    weights = {"fused_weight": 0.3, "head_weight": 0.7}
    one, two = create("bss-heuristic", weights), create("latesum-with_fused", weights)
    torch.testing.assert_close(one.loss(output, data), two.loss(output, data))
    torch.testing.assert_close(one.predict(output).logits, two.predict(output).logits)
    assert two.fusion("gated") == "gated"


def test_the_heads_alone_add_their_losses_and_their_logits():
    net, data = model32(), batch32()
    output = net(data.inputs)
    alone = create("latesum-heads_alone", {})
    heads = [cross_entropy(z, data.labels) for z in output.modality_logits.values()]
    torch.testing.assert_close(alone.loss(output, data), sum(heads))
    torch.testing.assert_close(
        alone.predict(output).logits,
        output.modality_logits["audio"] + output.modality_logits["video"],
    )


@pytest.mark.slow
def test_the_heads_alone_are_trained_as_unimodal_trains_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    train = toy_data.TRAIN.model_copy(update={"selection": "last"})
    one, two = (
        load_file(toy_data.run_train(key, train=train)["weights"])
        for key in ("unimodal", "latesum-heads_alone")
    )
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
