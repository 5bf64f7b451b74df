"""Optical flow: a known shift, pictures and arrays of others, flips, colours."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from equipoise import registry
from equipoise.media.errors import MediaError
from equipoise.media.wants import Found
from equipoise.modalities.base import reader
from equipoise.modalities.feed import feed
from equipoise.modalities.flow.compute import wheel

RIGHT, DOWN = 3.5, -1.25


def flow(**settings):
    table = {"pick": {"first": 2}, "size": [48, 64], "bound": 10.0}
    return reader("f", "flow", table | settings)


def moving(frames=3, size=(48, 64)):
    """Return grey frames of a pattern that moves by (RIGHT, DOWN) pixels each."""
    rng = np.random.default_rng(0)
    wide = ndimage.gaussian_filter(rng.random((size[0] + 60, size[1] + 60)), 2)
    wide = (wide - wide.min()) / (wide.max() - wide.min()) * 255
    parts = [
        ndimage.shift(wide, (k * DOWN, k * RIGHT), order=3)[30:-30, 30:-30] for k in range(frames)
    ]
    return np.stack(parts).round().clip(0, 255).astype(np.uint8)[..., None]


@pytest.mark.parametrize("method", ["dis", "tvl1"])
def test_a_known_shift_is_found(method):
    reading = flow(method=method).take(Found(moving(), frames=3))
    assert reading.array.dtype == np.int8
    assert reading.array.shape == (2, 48, 64, 2)
    pixels = reading.array[:, 12:-12, 12:-12] * (10 / 127)
    np.testing.assert_allclose(pixels.mean((0, 1, 2)), [RIGHT, DOWN], atol=0.1)
    assert pixels.std((0, 1, 2)).max() < 0.15
    assert reading.facts["repeated"] == 0.0


def test_rest_is_exactly_zero_and_what_is_too_long_is_cut_and_counted(tmp_path):
    still = moving(1).repeat(3, axis=0)
    assert not flow().take(Found(still, frames=3)).array.any()
    values = np.zeros((2, 48, 64, 2), np.float32)
    values[0, :24] = [30, -30]
    values[1, 0, 0] = [5, 0]
    np.save(tmp_path / "a.npy", values)
    reading = flow().read(tmp_path / "a.npy")
    assert reading.array[0, 0, 0].tolist() == [127, -127]
    assert reading.array[1, 0, 0].tolist() == [64, 0]
    assert reading.facts == {"repeated": 0.0, "beyond": 0.25, "cropped": 0.0, "unseen": 0.0}
    values[0, 0, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(MediaError, match="NaN or infinity"):
        flow().read(tmp_path / "a.npy")


def test_a_video_is_asked_for_one_frame_more_in_grey():
    for pick in ({"first": 2}, {"every": 0.5, "count": 2}, {"even": 2}):
        want = flow(pick=pick).want("a.mp4")
        assert (want.pick.count, want.channels, want.height, want.width) == (3, 1, 48, 64)
    assert flow().want("a.npy") is None
    short = flow(pick={"first": 4}).take(Found(moving(5), frames=3))
    assert short.facts["repeated"] == 0.5


def test_arrays_are_scaled_with_their_vectors(tmp_path):
    values = np.zeros((2, 2, 96, 256))  # (right and down, time, height, width)
    values[0], values[1] = 4.0, 2.0
    np.save(tmp_path / "a.npy", values)
    stretched = flow(axes="cthw").read(tmp_path / "a.npy").array
    assert np.unique(stretched.reshape(-1, 2), axis=0).tolist() == [[13, 13]]  # (1, 1) pixels
    cropped = flow(axes="cthw", fit="crop").read(tmp_path / "a.npy").array
    assert np.unique(cropped.reshape(-1, 2), axis=0).tolist() == [[25, 13]]  # (2, 1) pixels


def pair(folder, number, right, down):
    for name, value in (("flow_x", right), ("flow_y", down)):
        level = round((value + 20) / 40 * 255)
        picture = Image.new("L", (64, 48), level)
        picture.save(folder / f"{name}_{number:05}.png")


def test_pairs_of_pictures(tmp_path):
    for number in range(3):
        pair(tmp_path, number, 4.0 * number, -8.0)
    reading = flow().read(tmp_path)
    pixels = reading.array * (10 / 127)
    np.testing.assert_allclose(pixels[0, 0, 0], [0, -8], atol=0.15)  # their code has no zero
    np.testing.assert_allclose(pixels[1, 0, 0], [4, -8], atol=0.15)
    one = flow(pick={"first": 1}).read(tmp_path / "flow_x_00001.png").array
    assert np.array_equal(one[0], reading.array[1])
    (tmp_path / "flow_y_00001.png").unlink()
    with pytest.raises(MediaError, match=r"flow_y_00001.png cannot be read as a picture"):
        flow().read(tmp_path)
    with pytest.raises(MediaError, match="no picture named"):
        flow(pair=["u", "v"]).read(tmp_path / "flow_x_00000.png")


def test_a_flip_turns_right_into_left():
    feeding = feed(flow(), "flow", {"flip": 0.5, "crop": {"size": [16, 16]}})
    stored = torch.zeros(2, 2, 48, 64, 2, dtype=torch.int8)
    stored[..., :32, 0], stored[..., 1] = 100, 50
    whole = torch.tensor([[0, 0, 48, 64]] * 2)
    values = feeding.prepare(stored, {"flip": torch.tensor([True, False]), "box": whole})
    plain, flipped = values[1], values[0]
    torch.testing.assert_close(flipped[:, 0], -plain[:, 0].flip(-1))
    torch.testing.assert_close(flipped[:, 1], plain[:, 1].flip(-1))
    assert feeding.input().shape == (2, 2, 16, 16)
    only = feed(flow(), "flow", {"flip": 0.5})
    values = only.prepare(stored, {"flip": torch.tensor([True, False])})
    assert values[0, 0, 0, 0, -1] == -100


def test_directions_are_colours():
    vectors = np.array([[[0, 0], [5, 0], [-5, 0], [0, 5], [0, -5], [2.5, 0]]])
    colours = wheel(vectors)[0]
    assert colours[0].tolist() == [255, 255, 255]
    assert colours[1].tolist() == [255, 0, 0]
    assert colours[2].tolist() == [0, 255, 255]
    assert colours[3].tolist() == [128, 255, 0]
    assert colours[4].tolist() == [128, 0, 255]
    assert colours[5].tolist() == [255, 128, 128]
    shown = Image.open(io.BytesIO(flow().show(np.zeros((2, 48, 64, 2), np.int8)).png))
    assert shown.size == (128, 48)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"axes": "thw"}, "axes: no 'c' in 'thw'"),
        ({"size": 8}, "size: 16 pixels or more"),
        ({"pair": ["u", "u"]}, "pair: two different parts"),
        ({"method": "farneback"}, "method"),
    ],
)
def test_what_contradicts_is_refused(settings, words):
    table = {"pick": {"first": 2}, "size": 48} | settings
    with pytest.raises(ValueError) as caught:
        registry.check(registry.kinds()["flow"].settings, table, "modalities.f")
    assert words in str(caught.value)
