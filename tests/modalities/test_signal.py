"""Signals: any array over time, or a vector, to a fixed shape."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from equipoise import registry
from equipoise.media.errors import MediaError
from equipoise.modalities.base import reader
from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import feed
from equipoise.modalities.signal.fitting import stretched
from equipoise.modalities.signal.propose import propose

CPU = torch.device("cpu")
PLACES = [folder / "shared" / "data" / "utd-mhad" for folder in Path(__file__).parents]
UTD = next((place for place in PLACES if place.is_dir()), None)


def signal(**settings):
    return reader("m", "signal", settings)


def saved(path, values):
    np.save(path, np.asarray(values, dtype=float))
    return path


def made(augment, **settings):
    return feed(signal(**settings), "signal", augment)


def dice(count=4000):
    return Dice((0, 1), "m", count, CPU)


def test_skeleton_and_inertial_sensor_of_utd_mhad_come_in_with_plain_settings():
    if UTD is None:
        pytest.skip("no shared/data/utd-mhad beside the checkout")
    from scipy.io import loadmat

    skeleton = UTD / "Skeleton" / "a1_s1_t1_skeleton.mat"
    stored = signal(channels=60, length=64, axes="cct").read(skeleton).array
    original = loadmat(skeleton)["d_skel"]
    assert stored.shape == (64, 60)
    np.testing.assert_allclose(stored[0].reshape(20, 3), original[:, :, 0], rtol=1e-6)
    np.testing.assert_allclose(stored[-1].reshape(20, 3), original[:, :, -1], rtol=1e-6)
    inertial = UTD / "Inertial" / "a1_s1_t1_inertial.mat"
    stored = signal(channels=6, length=107).read(inertial).array
    assert stored.shape == (107, 6)
    original = loadmat(inertial)["d_iner"]
    for channel in range(6):
        expected = np.interp(
            np.linspace(0, len(original) - 1, 107), np.arange(len(original)), original[:, channel]
        )
        np.testing.assert_allclose(stored[:, channel], expected, rtol=1e-5, atol=1e-5)


def test_settings_are_proposed_from_the_axis_that_changes(tmp_path):
    rng = np.random.default_rng(0)
    paths = [saved(tmp_path / f"{t}.npy", rng.random((4, 3, t))) for t in (50, 60, 55)]
    assert propose(paths) == {"channels": 12, "length": 55, "axes": "cct"}
    assert propose(paths[:1] * 2) == {"channels": 600, "axes": "ccc"}
    assert propose(["words"]) == {}
    pictures = [saved(tmp_path / f"p{t}.npy", np.zeros((100, 120, t))) for t in (2, 3)]
    assert propose(pictures) == {}


def test_points_get_their_mean_over_points_and_steps_as_origin(tmp_path):
    # Two points (x, y) at two steps: the mean is (3, 20).
    values = [[1, 10, 3, 30], [3, 10, 5, 30]]
    moved = [[-2, -10, 0, 10], [0, -10, 2, 10]]
    path = saved(tmp_path / "a.npy", values)
    assert signal(channels=4, length=2, coordinates=2).read(path).array.tolist() == moved
    elsewhere = saved(tmp_path / "b.npy", np.array(values) + np.array([7, -5, 7, -5]))
    assert signal(channels=4, length=2, coordinates=2).read(elsewhere).array.tolist() == moved
    vector = signal(channels=4, inline=True, coordinates=2).read("1 10 3 30").array
    assert vector.tolist() == [-1, -10, 1, 10]
    with pytest.raises(ValueError, match="coordinates: 4 channels are no points of 3 each"):
        signal(channels=4, length=2, coordinates=3)


def test_linear_stretching_by_hand():
    values = np.array([[0.0, 10.0], [1.0, 20.0], [4.0, 20.0]])
    expected = [[0, 10], [0.5, 15], [1, 20], [2.5, 20], [4, 20]]
    assert stretched(values, 5, "linear").tolist() == expected
    assert stretched(values, 2, "linear").tolist() == [[0, 10], [4, 20]]
    assert stretched(values[:1], 3, "linear").tolist() == [[0, 10]] * 3
    assert stretched(values, 3, "linear") is values


def test_stretching_by_a_filter_keeps_lines_and_slow_waves_and_loses_fast_ones():
    steps = np.arange(200.0)
    line = 3 + 0.5 * steps[:, None]
    np.testing.assert_allclose(stretched(line, 100, "poly"), line[::2], atol=1e-9)
    slow = np.sin(2 * np.pi * steps / 50)[:, None]
    middle = slice(20, 80)
    error = np.abs(stretched(slow, 100, "poly") - slow[::2])[middle].max()
    assert error < 0.01
    fast = np.sin(2 * np.pi * steps * 0.45)[:, None]
    assert np.abs(stretched(fast, 100, "poly"))[middle].max() < 0.05
    assert np.abs(stretched(fast, 100, "linear"))[middle].max() > 0.5  # aliased


def test_a_signal_is_cut_or_goes_on_with_its_last_values(tmp_path):
    path = saved(tmp_path / "a.npy", np.arange(10).reshape(10, 1))
    cut = signal(channels=1, length=4, fit="cut", place="centre").read(path)
    assert cut.array[:, 0].tolist() == [3, 4, 5, 6]
    assert cut.facts == {"cut": pytest.approx(0.6), "filled": 0.0, "missing": 0.0}
    longer = signal(channels=1, length=12, fit="cut").read(path)
    assert longer.array[-4:, 0].tolist() == [8, 9, 9, 9]
    assert longer.facts["filled"] == pytest.approx(1 / 6)


def test_missing_values_are_refused_or_filled_as_stated(tmp_path):
    values = np.array([[1, 1], [np.nan, 2], [4, 3], [np.nan, 4]])
    path = saved(tmp_path / "a.npy", values)
    with pytest.raises(MediaError, match="25% of the numbers are NaN; say missing: interpolate"):
        signal(channels=2, length=4).read(path)
    filled = signal(channels=2, length=4, missing="interpolate").read(path)
    assert filled.array[:, 0].tolist() == [1, 2.5, 4, 4]
    assert filled.facts["missing"] == 0.25
    zero = signal(channels=2, length=4, missing="zero").read(path)
    assert zero.array[:, 0].tolist() == [1, 0, 4, 0]
    path = saved(tmp_path / "b.npy", values * [np.nan, 1])
    with pytest.raises(MediaError, match="channel 0 holds nothing but NaN"):
        signal(channels=2, length=4, missing="interpolate").read(path)
    for value in (np.inf, 1e300):
        path = saved(tmp_path / "c.npy", [[value, 1.0]])
        with pytest.raises(MediaError, match=r"infinity|fit into float32"):
            signal(channels=2, length=4, missing="zero").read(path)


def test_what_the_settings_do_not_say_is_refused(tmp_path):
    path = saved(tmp_path / "a.npy", np.zeros((5, 2)))
    with pytest.raises(MediaError, match="2 channels, but channels: 3"):
        signal(channels=3, length=4).read(path)
    with pytest.raises(MediaError, match="the signal is empty"):
        signal(channels=2, length=4).read(saved(tmp_path / "b.npy", np.zeros((0, 2))))


def test_a_vector_and_numbers_in_a_cell(tmp_path):
    path = saved(tmp_path / "a.npy", [1, 2, 3])
    assert signal(channels=3).read(path).array.tolist() == [1, 2, 3]
    cell = signal(channels=3, inline=True)
    assert cell.read("[1, 2.5;-3e0]").array.tolist() == [1, 2.5, -3]
    assert cell.stored().shape == (3,)
    with pytest.raises(MediaError, match=r"'a/b.npy' is no number; if it is a path"):
        cell.read("a/b.npy")
    series = signal(channels=1, inline=True, axes="t", length=2)
    assert series.read("1 2 3").array.tolist() == [[1], [3]]


@pytest.mark.parametrize(
    ("settings", "augment", "words"),
    [
        ({"length": 8, "axes": "cc"}, {}, "axes: no 't' in 'cc'"),
        ({"axes": "tc"}, {}, "length: how many steps are stored?"),
        ({"missing": "interpolate"}, {}, "missing: interpolate is over time"),
        ({"length": 8, "inline": True}, {}, "inline: a cell holds numbers in a row"),
        ({"length": 8}, {"window": 9}, "augment.window: 9 of 8 stored steps"),
        ({}, {"shift": 0.1}, "this is a vector"),
    ],
)
def test_what_contradicts_is_refused(settings, augment, words):
    info = registry.kinds()["signal"]
    with pytest.raises(ValueError) as caught:
        checked = registry.check(info.settings, {"channels": 2} | settings, "modalities.m")
        info.check(checked, registry.check(info.augment, augment, "augment.m"))
    assert words in str(caught.value)


def test_windows_shifts_and_factors():
    made_up = made({"window": 4, "shift": 0.5, "scale": 0.1}, channels=2, length=10)
    stored = torch.arange(20.0).view(1, 10, 2).expand(3, 10, 2)
    drawn = {
        "window": torch.tensor([0, 6, 3]),
        "shift": torch.tensor([0, 1, -2]),
        "scale": torch.tensor([[1.0, 1.0], [2.0, 0.5], [1.0, 1.0]]),
    }
    got = made_up.prepare(stored, drawn)
    assert got[0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert got[1, :, 0].tolist() == [24, 24, 28, 32]
    assert got[1, :, 1].tolist() == [6.5, 6.5, 7.5, 8.5]
    assert got[2, :, 0].tolist() == [10, 12, 12, 12]
    assert made_up.prepare(stored[:1], {})[0, :, 0].tolist() == [6, 8, 10, 12]
    assert made_up.input().shape == (4, 2)
    drawn = made_up.draw(dice())
    assert np.bincount(drawn["window"]).tolist() == pytest.approx([4000 / 7] * 7, rel=0.2)
    assert stats.kstest(drawn["scale"].flatten(), "norm", (1, 0.1)).pvalue > 0.001


def test_jitter_is_normal_noise_that_differs_everywhere():
    made_up = made({"jitter": 0.5}, channels=3, length=20)
    drawn = made_up.draw(dice(200))
    noise = made_up.prepare(torch.zeros(200, 20, 3), drawn)
    assert stats.kstest(noise.flatten(), "norm", (0, 0.5)).pvalue > 0.001
    assert len(noise.unique()) > 0.99 * noise.numel()
    assert torch.equal(noise, made_up.prepare(torch.zeros(200, 20, 3), drawn))
