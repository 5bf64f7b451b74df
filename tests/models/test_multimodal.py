"""Fusions by their formulas, the model for any set of modalities, inputs by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from equipoise.errors import UserError
from equipoise.methods.joint import METHOD
from equipoise.modalities.base import Input
from equipoise.models import fusion as fusions
from equipoise.models.build import build_model
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.params import Encoder
from equipoise.params.sections import ADDITIVE

SOUND = Input("spectrogram", (9, 8))
SPECTROGRAM = Encoder(name="conv_spectrogram")
NAMES = [["depth"], ["audio", "video"], ["audio", "flow", "text"]]


def features(names, count=4, width=5):
    generator = torch.Generator().manual_seed(0)
    return {m: torch.randn(count, width, generator=generator) for m in names}


@pytest.mark.parametrize("names", NAMES, ids=["1", "2", "3"])
@pytest.mark.parametrize("name", fusions.FUSIONS)
def test_every_fusion_takes_any_number_of_modalities(name, names):
    model = MultimodalClassifier(
        {m: nn.Identity() for m in names}, fusions.build(name, names, 5, 3), 5, 3
    )
    output = model(features(names))
    assert output.logits.shape == (4, 3)
    assert {m: z.shape for m, z in output.modality_logits.items()} == dict.fromkeys(names, (4, 3))
    assert model.modalities == names


@pytest.mark.parametrize("names", NAMES, ids=["1", "2", "3"])
@pytest.mark.parametrize("name", [*ADDITIVE, "cosine"])
def test_the_shares_of_an_additive_fusion_add_up_to_its_logits(name, names):
    fusion, x = fusions.build(name, names, 5, 3), features(names)
    assert fusion.additive
    torch.testing.assert_close(sum(fusion.split(x).values()), fusion(x, {}))


@pytest.mark.parametrize("absent", NAMES[2])
@pytest.mark.parametrize("name", fusions.FUSIONS)
def test_an_absent_modality_is_zeros_to_the_fusion_and_its_encoder_does_not_run(name, absent):
    names, x = NAMES[2], features(NAMES[2])
    encoders = {m: nn.Linear(5, 5) for m in names}  # a bias: an encoded zero is not a zero
    model = MultimodalClassifier(encoders, fusions.build(name, names, 5, 3), 5, 3).eval()
    output = model({m: x[m] for m in names if m != absent})
    present = [m for m in names if m != absent]
    assert list(output.features) == list(output.modality_logits) == present
    encoded = {m: encoders[m](x[m]) for m in present} | {absent: torch.zeros(4, 5)}
    heads = {m: model.heads[m](encoded[m]) for m in present}
    if name == "late":
        expected = torch.stack([z.softmax(1) for z in heads.values()]).mean(0).log()
    else:
        expected = model.fusion(encoded, heads)
    torch.testing.assert_close(output.logits, expected)


def test_concat_split_is_the_weight_block_and_half_the_bias():
    fusion, x = fusions.build("concat", ["a", "v"], 5, 3), features(["a", "v"])
    weight, bias = fusion.classifier.weight, fusion.classifier.bias
    torch.testing.assert_close(fusion.split(x)["a"], x["a"] @ weight[:, :5].T + bias / 2)
    torch.testing.assert_close(fusion.split(x)["v"], x["v"] @ weight[:, 5:].T + bias / 2)


def test_weighted_by_its_formula_and_equal_weights_at_the_start():
    x = {m: z.double() for m, z in features(NAMES[2]).items()}  # a share may come near 0
    fusion = fusions.build("weighted", NAMES[2], 5, 3).double()
    assert {m: float(w.detach()) for m, w in fusion.weights().items()} == pytest.approx(
        dict.fromkeys(NAMES[2], 1 / 3)
    )
    with torch.no_grad():
        for m, v in zip(NAMES[2], (0.0, 1.0, -2.0), strict=True):
            fusion.scalars[m].copy_(torch.tensor(v))
    total, expected = 1 + np.e + np.exp(-2), np.zeros((4, 3))
    for m, weight in zip(NAMES[2], np.array([1, np.e, np.exp(-2)]) / total, strict=True):
        own = fusion.classifiers[m]
        share = x[m].numpy() @ own.weight.detach().numpy().T + own.bias.detach().numpy()
        np.testing.assert_allclose(fusion.split(x)[m].detach(), weight * share, atol=1e-12)
        expected += weight * share
    np.testing.assert_allclose(fusion(x, {}).detach(), expected, atol=1e-12)


def test_the_weights_of_the_weighted_fusion_are_learned_towards_the_better_modality():
    labels = torch.arange(30) % 3
    noise = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    x = {"a": 4 * torch.eye(5)[labels], "v": noise}
    fusion = fusions.build("weighted", ["a", "v"], 5, 3)
    optimizer = torch.optim.SGD(fusion.parameters(), lr=0.5)
    for _ in range(20):
        loss = nn.functional.cross_entropy(fusion(x, {}), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = {m: float(w.detach()) for m, w in fusion.weights().items()}
    assert weights["a"] > 0.55
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", sorted(set(fusions.FUSIONS) - {"film", "simbamm"}))
def test_a_fusion_does_not_depend_on_the_order_of_the_modalities(name):
    names, x = NAMES[2], features(NAMES[2])
    first = fusions.build(name, names, 5, 3)
    for parameter in first.parameters():
        nn.init.normal_(parameter)
    second = fusions.build(name, names[::-1], 5, 3)
    state = first.state_dict()
    for key in state:  # these read the joined features, in the order of the modalities
        if (name == "concat" or "gates" in key) and key.endswith("weight"):
            state[key] = torch.cat(state[key].chunk(3, dim=1)[::-1], dim=1)
    second.load_state_dict(state)
    torch.testing.assert_close(second(x, x), first(x, x))


def test_cosine_by_its_formula_and_bounded_by_its_scale():
    x, fusion = features(["a", "v"]), fusions.build("cosine", ["a", "v"], 5, 3)
    for m in "av":
        h = x[m].numpy().astype(np.float64)
        w = fusion.classifiers[m].weight.detach().numpy().astype(np.float64)
        lengths = np.linalg.norm(h, axis=1)[:, None] * np.linalg.norm(w, axis=1)[None]
        share = fusion.split(x)[m].detach().numpy()
        np.testing.assert_allclose(share, 15 * (h @ w.T) / lengths, rtol=1e-4, atol=1e-5)
        assert abs(share).max() <= 15
    longer = {"a": 7 * x["a"], "v": 0.1 * x["v"]}
    torch.testing.assert_close(fusion(longer, {}), fusion(x, {}))
    zero = {m: torch.zeros(2, 5, requires_grad=True) for m in "av"}
    assert not fusion(zero, {}).any()


def test_film_and_gated_by_their_formulas():
    x = features(["a", "v"])
    film = fusions.build("film", ["a", "v"], 5, 3)
    gamma = x["v"] @ film.affine.weight[:5].T + film.affine.bias[:5]
    beta = x["v"] @ film.affine.weight[5:].T + film.affine.bias[5:]
    expected = (gamma * x["a"] + beta) @ film.classifier.weight.T + film.classifier.bias
    torch.testing.assert_close(film(x, {}), expected)
    gated, joined = fusions.build("gated", ["a", "v"], 5, 3), torch.cat([x["a"], x["v"]], 1)
    hidden = sum(
        torch.sigmoid(gated.gates[m](joined)) * torch.tanh(gated.values[m](x[m])) for m in "av"
    )
    torch.testing.assert_close(gated(x, {}), gated.classifier(hidden))


def test_late_fusion_averages_probabilities():
    heads = {"a": torch.tensor([[0.0, 100.0]]), "v": torch.tensor([[0.0, 0.0]])}
    logits = fusions.build("late", ["a", "v"], 5, 2)({}, heads)
    torch.testing.assert_close(logits.exp(), torch.tensor([[0.25, 0.75]]))


@pytest.mark.parametrize("name", sorted(set(fusions.FUSIONS) - {*ADDITIVE, "cosine"}))
def test_a_fusion_that_is_no_sum_says_so(name):
    fusion = fusions.build(name, ["a", "v"], 5, 3)
    assert not fusion.additive
    with pytest.raises(UserError, match="cannot be split"):
        fusion.split(features(["a", "v"]))


def test_the_variants_of_joint_are_the_fusions_with_weights_that_are_no_method_of_their_own():
    assert set(METHOD.variants) == set(fusions.FUSIONS) - {"late", "cosine"}


def test_groups_hold_every_parameter_once():
    model = build_model(
        {"audio": SOUND, "video": Input("pictures", (2, 3, 12, 12))},
        {"audio": SPECTROGRAM, "video": Encoder(name="conv_frames")},
        "concat",
        16,
        3,
    )
    model.extras["own"] = nn.Linear(2, 2)
    groups = model.groups()
    parts = [*groups.encoders.values(), *groups.heads.values(), groups.fusion, groups.extras]
    listed = [id(p) for part in parts for p in part]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())
    assert list(groups.encoders) == ["audio", "video"]


def test_encoders_start_equal_whatever_the_fusion():
    def encoders(fusion):
        torch.manual_seed(3)
        given, encoders = {"audio": SOUND}, {"audio": SPECTROGRAM}
        return build_model(given, encoders, fusion, 8, 3).encoders.state_dict()

    first = encoders("concat")
    for fusion in ("sum", "gated", "late"):
        for name, weight in encoders(fusion).items():
            assert torch.equal(weight, first[name])


@pytest.mark.parametrize(
    ("given", "encoders", "fusion", "says"),
    [
        (SOUND, {"video": SPECTROGRAM}, "sum", "no encoder is named for modality 'audio'"),
        (SOUND, {"audio": Encoder(name="conv_spectrogramm")}, "sum", "did you mean 'conv_spectro"),
        (SOUND, {"audio": SPECTROGRAM}, "concatt", "did you mean 'concat'"),
        (Input("vector", (9,)), {"audio": SPECTROGRAM}, "sum", "reads spectrogram, not vector"),
    ],
)
def test_what_cannot_be_built_is_named(given, encoders, fusion, says):
    with pytest.raises(UserError, match=says):
        build_model({"audio": given}, encoders, fusion, 8, 3)
