"""Frozen parts and learning rates by part, in the optimiser and in whole runs."""

import json
import subprocess
import sys

import pytest
import torch
import toy_data
from safetensors.torch import load_file, save_file

from equipoise import layout
from equipoise.modalities.base import Input
from equipoise.models.build import build_encoder, build_model
from equipoise.params import Encoder, Train
from equipoise.training.loop import Trainer
from equipoise.training.run import make_optimizer, parameter_groups, set_rate

GIVEN = {"a": Input("tokens", (2, 5), vocabulary=9), "b": Input("vector", (3,))}
RATES = {"stem": 0.5, "body": 0.1, "projection": 2.0}


def model(**chosen):
    torch.manual_seed(0)
    encoders = {"a": Encoder(name="bag", **chosen), "b": Encoder(name="mlp")}
    return build_model(GIVEN, encoders, "concat", 4, 3)


def shown(groups, net):
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    return [(group["factor"], {names[id(p)] for p in group["params"]}) for group in groups]


def test_without_rates_there_is_one_group_in_the_order_of_the_model():
    net = model()
    (group,) = parameter_groups(net)
    assert group["factor"] == 1.0
    assert all(a is b for a, b in zip(group["params"], net.parameters(), strict=True))


def test_a_group_for_each_factor_and_nothing_of_a_frozen_part():
    net = model(rates=RATES, freeze="stem")
    found = shown(parameter_groups(net), net)
    assert [factor for factor, _ in found] == [1.0, 2.0, 0.1]  # as the model holds them
    body = {"encoders.a.body.0.weight", "encoders.a.body.0.bias"}
    last = {"encoders.a.projection.0.weight", "encoders.a.projection.0.bias"}
    assert found[1][1] == last and found[2][1] == body
    everything = {name for name, _ in net.named_parameters()}
    assert found[0][1] == everything - body - last - {"encoders.a.stem.weight"}


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_step_by_hand_and_a_new_rate(kind):
    net = model(rates={"projection": 3.0})
    settings = Train(optimizer=kind, learning_rate=0.1, weight_decay=0.0, momentum=0.0)
    optimizer = make_optimizer(parameter_groups(net), settings)
    set_rate(optimizer, 0.2)
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, pytest.approx(0.6)]
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, value in net.named_parameters():
        # The first step of AdamW goes by the sign of the gradient, as long as the rate.
        moved = 0.6 if name.startswith("encoders.a.projection.") else 0.2
        torch.testing.assert_close(before[name] - value.detach(), torch.full_like(value, moved))


def test_what_a_method_is_told_of_a_frozen_encoder():
    net = model(freeze="stem")
    groups = net.groups()
    assert len(groups.encoders["a"]) == 4 and len(net.trained()) == len(list(net.parameters())) - 1
    assert all(p.requires_grad for ps in groups.encoders.values() for p in ps)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project whose video has an encoder with a frozen stem that came from a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    torch.manual_seed(3)
    given = Input("pictures", (2, 3, 12, 12))
    small = {"width": 0.1}
    state = build_encoder(Encoder(name="i3d", options=small), given, 4).state_dict()
    save_file({n: v for n, v in state.items() if not n.startswith("projection")}, "net.safetensors")
    chosen = Encoder(
        name="i3d",
        options=small,
        weights="net.safetensors",
        freeze="stem",
        rates={"body": 0.1},
    )
    monkeypatch.setitem(toy_data.ENCODERS, "video", chosen)
    toy_data.write_project()
    return tmp_path


METHODS = [("ogm-ogm_ge", {}), ("mmpareto-min_norm", {}), ("agm-shapley", {})]
SHORT = Train(epochs=1, batch_size=18, learning_rate=5e-3)


@pytest.mark.parametrize(("key", "options"), METHODS, ids=[key for key, _ in METHODS])
def test_methods_on_gradients_run_with_a_frozen_stem(folder, key, options):
    paths = toy_data.run_train(key, options, train=SHORT)
    trained, first = load_file(paths["weights"]), load_file(folder / "net.safetensors")
    for name, value in first.items():
        moved = not torch.equal(trained[f"encoders.video.{name}"], value)
        if name.startswith("stem."):
            assert not moved, name
        elif name.endswith(".weight"):
            assert moved, name
    card = json.loads(paths["model"].read_text())["modalities"]["video"]
    assert card["weights"]["name"] == "net.safetensors"
    assert card["encoder"]["freeze"] == "stem"


def test_a_killed_run_with_rates_goes_on_as_if_it_had_not_been(folder, monkeypatch):
    settings = Train(epochs=2, batch_size=18, learning_rate=5e-3)
    expected = toy_data.contents(toy_data.run_train("joint-concat", train=settings))
    for path in layout.train("toy", "joint-concat", "0").values():
        path.unlink()

    class Killed(BaseException):
        pass

    step, done = Trainer._step, []

    def dies(self, *arguments):
        if len(done) == 2:
            raise Killed
        done.append(step(self, *arguments))

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_step", dies)
        toy_data.run_train("joint-concat", train=settings)
    rates = []

    def looks(self, *arguments):
        rates.append([group["lr"] for group in self.run.optimizer.param_groups])
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, "_step", looks)
    assert toy_data.contents(toy_data.run_train("joint-concat", train=settings)) == expected
    assert rates and all(body == pytest.approx(0.1 * rate) for rate, body in rates)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_optimiser_is_torch_s_bit_by_bit(name):
    settings = Train(optimizer=name, learning_rate=0.1)
    kind = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[name]
    more = {"adamw": {"fused": True}, "sgd": {"momentum": settings.momentum}}[name]
    nets, states = [model(), model()], []
    for net, ours in zip(nets, (True, False), strict=True):
        groups = parameter_groups(net)
        decay = {"weight_decay": settings.weight_decay}
        optimizer = (
            make_optimizer(groups, settings) if ours else kind(groups, lr=0.1, **decay, **more)
        )
        assert isinstance(optimizer, kind)
        for step in range(3):
            optimizer.zero_grad()
            for parameter in net.parameters():
                assert parameter.grad is None
                parameter.grad = torch.full_like(parameter, 0.1 + step)
            optimizer.step()
            optimizer.load_state_dict(optimizer.state_dict())
        assert all(p.requires_grad for p in net.parameters())
        states.append(optimizer.state_dict())
    assert all(map(torch.equal, *(net.parameters() for net in nets)))
    assert str(states[0]) == str(states[1])


def test_no_compiler_is_imported_to_take_a_step():
    """It would be a quarter of the time from the start of a job to its first step."""
    code = (
        "import sys, torch\n"
        "from equipoise.params import Train\n"
        "from equipoise.training.run import make_optimizer\n"
        "for name in ('adamw', 'sgd'):\n"
        "    weights = torch.zeros(2, requires_grad=True)\n"
        "    optimizer = make_optimizer([weights], Train(optimizer=name, weight_decay=0.0))\n"
        "    optimizer.zero_grad()\n"
        "    weights.sum().backward()\n"
        "    optimizer.step()\n"
        "    assert weights.tolist()[0] < 0, weights\n"
        "    optimizer.load_state_dict(optimizer.state_dict())\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
