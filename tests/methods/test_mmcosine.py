"""MMCosine: its loss by hand, bounds, balance of gradients, and the scale in the saved weights."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from equipoise.methods.base import Batch, create
from equipoise.methods.mmcosine.method import true_class_cosines
from equipoise.methods.modulation import Means
from equipoise.models import fusion as fusions
from equipoise.models.multimodal import MultimodalClassifier


def made(scale, features):
    names = list(features)
    width = next(iter(features.values())).shape[1]
    torch.manual_seed(0)
    fusion = fusions.build("cosine", names, width, 3)
    net = MultimodalClassifier({m: nn.Identity() for m in names}, fusion, width, 3)
    method = create("mmcosine", {"scale": scale})
    method.attach(net, {})
    method._means = Means(names, torch.device("cpu"))
    return net, method


@pytest.mark.parametrize("names", ["a", "av", "avi"])
def test_the_loss_equals_its_definition_and_ignores_the_length_of_features(names):
    generator = torch.Generator().manual_seed(1)
    x = {m: torch.randn(4, 5, generator=generator) for m in names}
    net, method = made(7.0, x)
    labels, total = torch.tensor([0, 2, 1, 1]), 0.0
    cosines = dict.fromkeys(names, 0.0)
    for i, y in enumerate(labels.tolist()):
        z = np.zeros(3)
        for m in names:
            w = net.fusion.classifiers[m].weight.detach().double().numpy()
            h = x[m][i].double().numpy()
            for k in range(3):
                c = w[k] @ h / (np.linalg.norm(w[k]) * np.linalg.norm(h))
                z[k] += 7 * c
                cosines[m] += c / 4 if k == y else 0
        total += math.log(np.exp(z).sum()) - z[y]
    rows = torch.arange(4)
    loss = method.loss(net(x), Batch(x, labels, rows))
    assert float(loss.detach()) == pytest.approx(total / 4, rel=1e-5)
    assert method.on_epoch_end(1, {}) == pytest.approx(
        {f"cosine_{m}": value for m, value in cosines.items()}, rel=1e-5
    )
    longer = {m: (10 + i) * value for i, (m, value) in enumerate(x.items())}
    again = method.loss(net(longer), Batch(longer, labels, rows))
    assert float(again.detach()) == pytest.approx(float(loss.detach()), rel=1e-5)


def test_cosines_of_the_true_class_by_hand():
    shares = {"a": torch.tensor([[3.0, -6.0], [0.0, 6.0]])}
    got = true_class_cosines(shares, torch.tensor([0, 1]), torch.tensor(6.0))
    assert float(got["a"]) == pytest.approx((0.5 + 1.0) / 2)


def test_the_least_loss_of_two_classes_is_the_bound_of_the_readme():
    x = {m: torch.tensor([[1.0, 0.0]]) for m in "av"}
    fusion = fusions.build("cosine", ["a", "v"], 2, 2)
    fusion.scale.fill_(0.5)
    with torch.no_grad():
        for m in "av":
            fusion.classifiers[m].weight.copy_(torch.tensor([[2.0, 0.0], [-3.0, 0.0]]))
    loss = nn.functional.cross_entropy(fusion(x, {}), torch.tensor([0]))
    assert float(loss.detach()) == pytest.approx(math.log(1 + math.exp(-2 * 0.5 * 2)), rel=1e-5)


def test_the_gradient_of_the_class_weights_is_orthogonal_to_them():
    x = {m: torch.randn(6, 5) for m in "av"}
    net, method = made(15.0, x)
    method.loss(net(x), Batch(x, torch.arange(6) % 3, torch.arange(6))).backward()
    for classifier in net.fusion.classifiers.values():
        inner = (classifier.weight.grad * classifier.weight).sum(dim=1)
        torch.testing.assert_close(inner, torch.zeros(3), atol=1e-5, rtol=0)


def test_the_scale_travels_with_the_weights(tmp_path, monkeypatch):
    import toy_data

    from equipoise.training.inference import load_model

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    paths = toy_data.run_train("mmcosine", {"scale": 4.0})
    assert float(load_file(paths["weights"])["fusion.scale"]) == 4
    assert float(load_model(paths["model"].parent).model.fusion.scale) == 4
