"""Cost of a prediction, by counting."""

from types import SimpleNamespace

import torch
from torch import nn

from equipoise.evaluation.prediction_cost import REPEATS, prediction_cost
from equipoise.methods.base import create
from equipoise.models import fusion as fusions
from equipoise.models.multimodal import MultimodalClassifier


def test_parameters_operations_and_passes_are_those_of_the_model_and_its_method():
    names = ["a", "v"]
    encoders = {
        "a": nn.Linear(10, 4),
        "v": nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.Flatten(), nn.Linear(12, 4)),
    }
    model = MultimodalClassifier(encoders, fusions.build("concat", names, 4, 5), 4, 5).eval()
    passes = []
    model.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0]["a"])))
    method = create("aug-paper", {"width": 6})
    method.attach(model, {"classifiers": {"a": 1, "v": 2}})
    inputs = {"a": torch.randn(7, 10), "v": torch.randn(7, 2, 4, 4)}
    cost = prediction_cost(SimpleNamespace(model=model, method=method), inputs)
    encoding = 10 * 4 + 3 * (2 * 3 * 3) * (2 * 2) + 12 * 4
    heads_and_fusion = 2 * 4 * 5 + 8 * 5
    classifiers = 3 * (4 * 6 + 6 * 5)
    assert cost["flops_per_sample"] == 2 * (encoding + heads_and_fusion + classifiers)
    weights = 10 * 4 + 4 + 54 + 12 * 4 + 4 + 2 * (4 * 5 + 5) + 8 * 5 + 5
    assert cost["parameters"] == weights + (6 * 5 + 5) + 3 * (4 * 6 + 6)
    assert passes == [1] + [7] * (1 + REPEATS)
    assert cost["batch"] == 7
    assert cost["seconds_per_sample"] > 0
    assert cost["device"].startswith("cpu, ")


def test_the_operations_of_a_transformer_are_counted():
    """Evaluation mode without gradient is where PyTorch fuses a layer into one operation."""
    names, d, tokens, classes = ["a", "v"], 8, 3, 5  # a token for the class, one for each modality
    fusion = fusions.build("simbamm", names, d, classes)
    encoders = {m: nn.Linear(10, d) for m in names}
    model = MultimodalClassifier(encoders, fusion, d, classes).eval().requires_grad_(False)
    method = create("simbamm", {})
    method.attach(model, {})
    inputs = {m: torch.randn(7, 10) for m in names}
    cost = prediction_cost(SimpleNamespace(model=model, method=method), inputs)
    attention = tokens * 4 * d * d + 2 * tokens * tokens * d
    layer = attention + tokens * 2 * d * fusion.size.feedforward
    once = 2 * (10 * d + d * classes) + d * classes  # encoders and heads, the classifier
    assert cost["flops_per_sample"] == 2 * (fusion.size.layers * layer + once)
    assert torch.backends.mha.get_fastpath_enabled()
