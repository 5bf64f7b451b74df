"""What methods share: means over an epoch, gradients in the layout of their parameter, no waiting
for the device within a step."""

import pytest
import torch
import toy_data
from settings import ROWS
from small import mixed
from torch import nn

from equipoise.methods.base import create, head_loss
from equipoise.methods.modulation import Means, cosine, scale_gradients, set_gradient
from equipoise.params import Train
from equipoise.training.loop import Trainer
from equipoise.training.run import Run, make_optimizer

NAMES = (
    "ogm",
    "mmcosine",
    "mmpareto",
    "agm",
    "pmr",
    "tcmax",
    "dgl",
    "arl",
    "inforeg",
    "amss",
    "mnl",
    "cml",
    "mbsd",
    "simbamm",
)
WAITS = ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "nonzero")


@pytest.mark.parametrize("size", [1e-20, 1e-16, 1e-12, 1.0, 1e12, 1e18])
def test_the_cosine_is_one_however_short_the_gradients_are(size):
    a, b = [torch.tensor([3.0, 4.0]) * size], [torch.tensor([4.0, 3.0]) * size]
    assert cosine(a, b).item() == pytest.approx(24 / 25, abs=0.01)
    assert cosine(a, [-g for g in b]).item() == pytest.approx(-24 / 25, abs=0.01)
    assert cosine(a, a) <= 1


def test_means_by_hand_survive_a_copy_and_start_again():
    cpu = torch.device("cpu")
    means, other = Means(["a", "b"], cpu), Means(["a", "b"], cpu)
    assert means.row("x") == {}
    means.add({"b": torch.tensor(4.0), "a": torch.tensor(1.0)})
    other.load_state_dict(means.state_dict())
    for each in (means, other):
        each.add({"a": torch.tensor(2.0, requires_grad=True), "b": torch.tensor(5.0)})
        assert each.row("x") == {"x_a": 1.5, "x_b": 4.5}
    means.clear()
    assert means.row("x") == {}
    assert other.row("x") == {"x_a": 1.5, "x_b": 4.5}


def test_a_gradient_takes_the_layout_of_its_parameter():
    parameter = nn.Parameter(torch.randn(2, 3, 4, 4))
    gradient = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    set_gradient(parameter, gradient)
    assert torch.equal(parameter.grad, gradient)
    assert parameter.grad.stride() == parameter.stride() != gradient.stride()


def test_scaling_skips_parameters_without_gradient():
    one, none = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    one.grad = torch.tensor([1.0, -2.0])
    scale_gradients([one, none], torch.tensor(0.5))
    assert one.grad.tolist() == [0.5, -1.0] and none.grad is None


@pytest.mark.parametrize("strong", ["image", "text"])
@pytest.mark.parametrize(("key", "options"), [("ogm-ogm", {}), ("agm", {"clip": 0})])
def test_a_convolution_and_a_transformer_are_scaled_as_a_whole_and_nothing_else(
    key, options, strong
):
    net, data = mixed()
    weak = next(m for m in net.modalities if m != strong)
    with torch.no_grad():  # the strong modality gives the answer, the weak one hardly any
        parts = dict(zip(net.modalities, net.fusion.classifier.weight.chunk(2, dim=1), strict=True))
        net.fusion.classifier.bias.zero_()
        parts[strong] *= 5
        parts[weak] *= 0.01
        data.labels = net(data.inputs).logits.argmax(dim=1)
    train = Train(optimizer="sgd")
    optimizer = make_optimizer(list(net.parameters()), train)
    method, change = create(key, options), {}
    method.attach(net, {})
    method.setup(Run(net, optimizer, None, train, torch.device("cpu"), 0, 1, 1))
    method.on_epoch_start(1)
    output = net(data.inputs, detach_heads=True)
    (method.loss(output, data) + head_loss(output, data.labels)).backward()
    before = {name: p.grad.clone() for name, p in net.named_parameters()}
    method.after_backward(output, data)
    for name, p in net.named_parameters():
        group = name.split(".")[1] if name.startswith("encoders.") else "rest"
        factor = float((p.grad * before[name]).sum() / before[name].square().sum())
        torch.testing.assert_close(p.grad, factor * before[name])
        change.setdefault(group, []).append(factor)
    assert len(change["text"]) == 12  # attention, feed-forward and both normalisations
    for group, factors in change.items():
        assert factors == pytest.approx([factors[0]] * len(factors), rel=1e-4), group
    assert change["rest"][0] == pytest.approx(1)
    assert change[strong][0] < 0.95 and change[weak][0] >= 1 - 1e-6


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.key.startswith(NAMES)], ids=lambda row: row.key
)
def test_a_step_does_not_wait_for_the_device(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    toy_data.write_project()
    step, steps = Trainer._step, []

    def watched(self, epoch, number, batch):
        train_step = self.method.train_step

        def strict(given):
            with pytest.MonkeyPatch.context() as patch:
                for name in WAITS:
                    patch.setattr(torch.Tensor, name, refuse(name))
                return train_step(given)

        self.method.train_step = strict
        step(self, epoch, number, batch)
        self.method.train_step = train_step
        steps.append(number)

    monkeypatch.setattr(Trainer, "_step", watched)
    toy_data.run_train(row.key, row.options)
    assert len(steps) == 12


def refuse(name):
    def waits(*_):
        raise AssertionError(f"a step calls Tensor.{name}")

    return waits
