"""Purity and re-initialisation against hand-made clusters and hand-computed blends."""

import math
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equipoise.errors import UserError
from equipoise.methods.relearn import Options
from equipoise.methods.relearn.method import Relearn, blend, is_due, purity, strength_of
from equipoise.modalities.base import Input
from equipoise.models.build import build_model
from equipoise.params import Encoder
from equipoise.training.inference import Predictions

TWO = np.array([[0, 0], [0, 1], [1, 0], [9, 9], [9, 8], [8, 9]], np.float32)
MIXED = np.array([0, 0, 1, 1, 1, 1])
PURE = np.array([0, 0, 0, 1, 1, 1])


def test_purity_counts_the_commonest_label_of_each_cluster():
    assert purity(TWO, MIXED, 2) == pytest.approx((2 + 3) / 6)
    assert purity(TWO, PURE, 2) == 1.0
    assert purity(TWO, np.array([0, 1, 2, 0, 1, 2]), 2) == pytest.approx(2 / 6)


def test_purity_knows_neither_names_nor_order_nor_units():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 4)).astype(np.float32)
    labels = generator.integers(0, 3, 60)
    expected = purity(features, labels, 3)
    assert purity(features, np.array([2, 0, 1])[labels], 3) == expected
    assert purity(features * np.float32([1, 64, 1 / 64, -8]) + 4, labels, 3) == expected
    assert max(np.bincount(labels)) / 60 <= expected <= 1


def test_clusters_are_the_best_of_all_partitions_where_one_start_of_k_means_is_not():
    """All 3^9 partitions are tried here; scikit-learn's present default, one start, gives 5/9."""
    rows = [[4, 8], [9, 2], [1, 6], [6, 7], [6, 7], [9, 9], [9, 8], [7, 9], [0, 0]]
    features, labels = np.array(rows, np.float32), np.arange(9) % 3
    low, high = features.min(0), features.max(0)
    scaled = 2 * (features - low) / (high - low) - 1

    def inertia(parts):
        groups = (scaled[parts == c] for c in range(3))
        return sum(((g - g.mean(0)) ** 2).sum() for g in groups if len(g))

    best = min((np.array(p) for p in product(range(3), repeat=9)), key=inertia)
    expected = sum(np.bincount(labels[best == c]).max() for c in range(3)) / 9
    assert purity(features, labels, 3) == expected == 6 / 9


def test_scaling_lets_no_feature_dominate_by_its_unit():
    """Unscaled, k-means would split by the second feature, which says nothing of the label."""
    informative = np.repeat([0.0, 1.0], 20)
    noise = np.random.default_rng(1).uniform(-0.2, 0.2, 40)
    outliers = np.where(np.arange(40) == 7, 1.0, noise) * 1000
    features = np.stack([informative, outliers], axis=1).astype(np.float32)
    assert purity(features, np.repeat([0, 1], 20), 2) == 1.0


def test_an_encoder_that_has_died_has_the_purity_of_the_commonest_class():
    assert purity(np.ones((6, 3), np.float32), np.array([0, 0, 0, 0, 1, 2]), 3) == 4 / 6


def test_strength_is_the_hyperbolic_tangent_of_the_difference():
    e = math.exp(2 * 3.0 * 0.25)
    assert strength_of(0.9, 0.65, 3.0) == pytest.approx((e - 1) / (e + 1))
    assert strength_of(0.65, 0.9, 3.0) == strength_of(0.9, 0.65, 3.0)
    assert strength_of(0.7, 0.7, 3.0) == 0.0
    assert strength_of(0.9, 0.2, 0.0) == 0.0
    gaps = [strength_of(0.5 + g, 0.5, 3.0) for g in (0.0, 0.1, 0.3, 0.5)]
    assert gaps == sorted(gaps) and gaps[-1] < 1


def test_times_and_interval():
    assert [n for n in range(100) if is_due(n, 20, 3)] == [20, 40, 60]
    assert not any(is_due(n, 20, 0) for n in range(100))


def test_blending_is_linear_and_in_place():
    now, start = torch.tensor([1.0, 2.0]), torch.tensor([5.0, -2.0])
    kept = now.clone()
    blend([now], [start], 0.0)
    assert torch.equal(now, kept)
    blend([now], [start], 0.25)
    assert torch.allclose(now, torch.tensor([2.0, 1.0]))
    blend([now], [start], 1.0)
    assert torch.equal(now, start)


def plugin(variant="paper", **options):
    """A plug-in on a real model whose audio has lost purity on validation and whose video has not.

    Audio: training 1, validation 5/6; video: both 1.
    """
    torch.manual_seed(0)
    shapes = {"audio": Input("spectrogram", (9, 8)), "video": Input("pictures", (2, 3, 12, 12))}
    names = {"audio": Encoder(name="conv_spectrogram"), "video": Encoder(name="conv_frames")}
    model = build_model(shapes, names, "concat", 4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    labels = np.concatenate([PURE, MIXED, PURE])
    subsets = {"train": np.arange(6), "val": np.arange(6, 12), "test": np.arange(12, 18)}

    def collect(rows):
        assert set(rows) in ({*range(6)}, {*range(6, 12)}), "the test split was read"
        video = np.where(labels[rows][:, None] > 0, 9.0, 0.0) + np.zeros((1, 2))
        return Predictions(np.zeros((6, 2)), {}, {"audio": TWO, "video": video.astype(np.float32)})

    data = SimpleNamespace(
        modalities=["audio", "video"], classes=["a", "b"], splits=subsets, labels=labels
    )
    device = torch.device("cpu")
    run = SimpleNamespace(
        model=model, optimizer=optimizer, data=data, first_epoch=1, collect=collect, device=device
    )
    method = Relearn(variant, Options(**{"every": 2, "times": 1, **options}))
    method.attach(model, {})
    method.setup(run)
    return method, model, optimizer


def move(model, optimizer):
    """Do one step of some training, so that weights, statistics and momentum are not initial."""
    inputs = {"audio": torch.randn(5, 9, 8), "video": torch.randn(5, 2, 3, 12, 12)}
    model.train()
    model(inputs).logits.square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize(("variant", "epoch"), [("paper", 3), ("released_code", 4)])
@pytest.mark.parametrize("statistics", [False, True])
def test_encoders_go_back_by_their_own_alpha_and_nothing_else_moves(variant, epoch, statistics):
    method, model, optimizer = plugin(variant, reset_bn_stats=statistics)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    move(model, optimizer)
    moved = {name: value.clone() for name, value in model.state_dict().items()}
    for other in range(1, epoch):
        method.on_epoch_start(other)
        assert all(torch.equal(v, moved[n]) for n, v in model.state_dict().items())
        assert set(method.on_epoch_end(other, {}).values()) == {0.0}
    method.on_epoch_start(epoch)
    alpha = math.tanh(3.0 * (1 - 5 / 6))
    report = method.on_epoch_end(epoch, {})
    assert report == pytest.approx({"alpha_audio": alpha, "alpha_video": 0.0})
    parameters = dict(model.named_parameters())
    for name, value in model.state_dict().items():
        blended = name in parameters or (statistics and "running" in name)
        share = alpha if name.startswith("encoders.audio.") and blended else 0.0
        expected = (1 - share) * moved[name] + share * initial[name]
        assert torch.allclose(value.double(), expected.double(), atol=1e-6), name
    changed = [n for n, v in model.state_dict().items() if not torch.equal(v, moved[n])]
    assert changed and all(n.startswith("encoders.audio.") for n in changed)
    assert any("running" in n for n in changed) == statistics
    after = {name: value.clone() for name, value in model.state_dict().items()}
    method.on_epoch_start(epoch + 2)  # times: 1
    assert all(torch.equal(v, after[n]) for n, v in model.state_dict().items())


@pytest.mark.parametrize("names", [["video"], ["audio", "image", "video"]])
def test_each_of_one_or_three_encoders_has_its_own_alpha(names):
    """Purities by hand: audio 1 and 5/6, video and image 1 and 1."""
    method, _, _ = plugin()
    method.run.data.modalities = names
    collect = method.run.collect

    def more(rows):
        found = collect(rows)
        found.features["image"] = 3 * found.features["video"]
        return found

    method.run.collect = more
    expected = {m: math.tanh(3.0 / 6) if m == "audio" else 0.0 for m in names}
    assert method._diagnose() == pytest.approx(expected)


@pytest.mark.parametrize("reset", [False, True])
def test_momentum_of_the_encoders_is_forgotten_on_request(reset):
    method, model, optimizer = plugin(reset_momentum=reset)
    move(model, optimizer)
    method.on_epoch_start(3)
    groups = model.groups()
    encoders = [p for parameters in groups.encoders.values() for p in parameters]
    assert all((p in optimizer.state) == (not reset) for p in encoders)
    assert all(p in optimizer.state for p in groups.fusion)


def test_too_few_samples_are_refused_before_training():
    method, _, _ = plugin()
    method.run.data.splits["val"] = np.arange(6, 7)
    with pytest.raises(UserError, match="split 'val' has 1 samples for 2 clusters"):
        method.setup(method.run)
