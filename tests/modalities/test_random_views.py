"""Random views of pictures: equal to torchvision's, in value and in distribution."""

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from equipoise import registry
from equipoise.modalities import colours, crops
from equipoise.modalities.base import reader
from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import feed
from equipoise.modalities.sizes import Colour, Crop

CPU = torch.device("cpu")


def dice(seed=0, count=4000, group="g"):
    return Dice((seed, 1), group, count, CPU)


def made(settings=None, augment=None, kind="frames"):
    base = {"pick": {"even": 4}, "size": [40, 32]} if kind == "frames" else {"size": [40, 32]}
    feeding = feed(reader("m", kind, base | (settings or {})), kind, augment or {})
    return feeding


def pictures(count=6, frames=2, size=(40, 32), channels=3):
    values = np.random.default_rng(0).integers(0, 256, (count, frames, *size, channels))
    return torch.from_numpy(values.astype(np.uint8))


def boxes(crop, size, seed=0, count=4000):
    given = dice(seed, count)
    tries, place = given.uniform("crop", crops.TRIES, 2), given.uniform("place", 2)
    return crops.random_boxes(tries, place, size, crop)


@pytest.mark.parametrize("size", [(240, 320), (300, 100)])
def test_random_resized_crops_have_torchvisions_distribution(size):
    crop = Crop(size=(64, 64))
    ours = boxes(crop, size).numpy()
    torch.manual_seed(0)
    transform, picture = v2.RandomResizedCrop(64), torch.zeros(3, *size)
    theirs = [transform.make_params([picture]) for _ in range(2000)]
    for axis, name in enumerate(("top", "left", "height", "width")):
        assert stats.ks_2samp(ours[:, axis], [p[name] for p in theirs]).pvalue > 0.001, name


def test_where_no_try_fits_the_middle_is_taken_as_torchvision_does():
    crop, size = Crop(size=(8, 8), scale=(1.0, 1.0), ratio=(0.5, 0.6)), (50, 100)
    transform = v2.RandomResizedCrop(8, scale=(1.0, 1.0), ratio=(0.5, 0.6))
    theirs = transform.make_params([torch.zeros(3, *size)])
    expected = [theirs[name] for name in ("top", "left", "height", "width")]
    assert boxes(crop, size, count=3).tolist() == [expected] * 3


def test_plain_crops_have_torchvisions_distribution():
    ours = boxes(Crop(size=(30, 20), scale=None), (40, 32)).numpy()
    assert (ours[:, 2:] == [30, 20]).all()
    for axis, most in ((0, 10), (1, 12)):
        counts = np.bincount(ours[:, axis], minlength=most + 1)
        assert len(counts) == most + 1
        assert stats.chisquare(counts).pvalue > 0.001


def test_cameras_of_different_sizes_get_the_same_part():
    crop = Crop(size=(16, 16))
    small, large = boxes(crop, (60, 80)).double(), boxes(crop, (240, 320)).double()
    assert ((small * 4 - large).abs() <= 6).all()  # 1.5 pixels of the small picture


@pytest.mark.parametrize("resample", [crops.resample_at_once, crops.resample_one_by_one])
@pytest.mark.parametrize("size", [(24, 20), (64, 50), (40, 32)])
def test_a_resampled_box_is_torchvisions_resized_crop(size, resample):
    values = pictures(count=5)
    given = boxes(Crop(size=size), (40, 32), count=5)
    flip = torch.tensor([False, True, False, True, True])
    ours = resample(values.float(), given, size, flip)
    assert ours.shape == (5, 2, *size, 3)
    for sample, box, mirrored, mine in zip(values, given.tolist(), flip, ours, strict=True):
        planes = sample.float().permute(0, 3, 1, 2)
        theirs = functional.resized_crop(planes, *box, list(size), antialias=True)
        theirs = functional.horizontal_flip(theirs) if mirrored else theirs
        torch.testing.assert_close(mine.permute(0, 3, 1, 2), theirs, atol=2e-3, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_on_a_cpu_eight_bits_stay_eight_bits(channels):
    values = pictures(count=5, channels=channels)
    given = boxes(Crop(size=(24, 20)), (40, 32), count=5)
    ours = crops.resample(values, given, (24, 20), torch.ones(5, dtype=torch.bool))
    assert ours.dtype == torch.uint8
    exact = crops.resample_at_once(values.float(), given, (24, 20), torch.ones(5, dtype=torch.bool))
    assert (ours - exact).abs().max() < 1.1


def test_each_colour_change_is_torchvisions():
    values = pictures(count=3)
    unit = values.permute(0, 1, 4, 2, 3).float() / 255
    changes = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
    )
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        factors = torch.tensor([[1.4, 0.6, 1.7], [0.5, 1.5, 0.3], [1.0, 1.0, 1.0]])
        steps = torch.ones(3, 3, 3)
        for step, change in enumerate(order):
            steps[:, step, change] = factors[:, change]
        ours = colours.jitter(values.float(), steps, 255.0)
        for sample in range(3):
            theirs = unit[sample]
            for change in order:
                theirs = changes[change](theirs, float(factors[sample, change]))
            mine = ours[sample].permute(0, 3, 1, 2) / 255
            torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)
    torch.testing.assert_close(ours[2], values[2].float())


def test_colour_factors_are_torchvisions_and_every_order_is_as_likely():
    colour = Colour(brightness=0.4, contrast=1.5)
    steps = colours.plan(dice().uniform("colour", 6), colour)
    factors = steps.prod(dim=1)
    theirs = v2.ColorJitter(brightness=0.4, contrast=1.5)
    for change, (low, high) in enumerate((theirs.brightness, theirs.contrast)):
        assert stats.kstest(factors[:, change], "uniform", (low, high - low)).pvalue > 0.001
    assert (factors[:, 2] == 1).all()
    where = (steps[:, :, :2] != 1).float().argmax(dim=1)
    orders = torch.stack([(where[:, 0] == a) & (where[:, 1] == b) for a, b in PAIRS]).sum(dim=1)
    assert int(orders.sum()) == 4000
    assert stats.chisquare(orders).pvalue > 0.001


PAIRS = [(a, b) for a in range(3) for b in range(3) if a != b]


def test_flip_and_shift_move_whole_pixels():
    stored = torch.arange(2 * 4 * 8 * 8 * 3, dtype=torch.uint8).view(2, 4, 8, 8, 3)
    flip = torch.tensor([True, False])
    feeding = made({"size": 8}, {"flip": 0.5, "shift": 2})
    moved = feeding.prepare(stored, {"shift": torch.tensor([[0, 0], [1, -2]]), "flip": flip})
    assert torch.equal(moved[0], stored[0].permute(0, 3, 1, 2).flip(3).float())
    expected = stored[1].permute(0, 3, 1, 2).float()
    assert torch.equal(moved[1, :, :, 1:, :6], expected[:, :, :-1, 2:])
    assert torch.equal(moved[1, :, :, 0, 7], expected[:, :, 0, 7])
    assert abs(float(feeding.draw(dice())["flip"].double().mean()) - 0.5) < 0.04


def test_evaluation_takes_the_middle_as_torchvision_does_or_the_whole():
    stored = pictures(count=2, frames=4)
    planes = stored.permute(0, 1, 4, 2, 3).float()
    centre = made(augment={"crop": {"size": [33, 20]}})
    assert torch.equal(centre.prepare(stored, {}), functional.center_crop(planes, [33, 20]))
    whole = made(augment={"crop": {"size": 24, "evaluate": "whole"}})
    theirs = functional.resize(planes, [24, 24], antialias=True)
    # In 8 bits, as torchvision's of 8 bits; of float32 it differs by the rounding.
    assert (whole.prepare(stored, {}) - theirs).abs().max() < 1.1
    assert whole.input().shape == tuple(theirs.shape[1:])


def test_windows_and_segments_of_frames():
    stored = torch.arange(10, dtype=torch.uint8).view(1, 10, 1, 1, 1).expand(4000, 10, 8, 8, 1)
    settings = {"pick": {"even": 10}, "size": 8, "channels": 1}
    window = made(settings, {"window": 4})
    drawn = window.draw(dice())
    frames = window.prepare(stored, drawn)[:, :, 0, 0, 0]
    assert (frames.diff(dim=1) == 1).all()
    assert stats.chisquare(np.bincount(frames[:, 0].long(), minlength=7)).pvalue > 0.001
    assert window.prepare(stored[:1], {})[0, :, 0, 0, 0].tolist() == [3, 4, 5, 6]
    parts = made(settings, {"segments": 5})
    frames = parts.prepare(stored, parts.draw(dice()))[:, :, 0, 0, 0]
    assert stats.chisquare(np.bincount(frames.flatten().long(), minlength=10)).pvalue > 0.001
    assert torch.equal(frames // 2, torch.arange(5.0).expand(4000, 5))
    assert parts.prepare(stored[:1], {})[0, :, 0, 0, 0].tolist() == [1, 3, 5, 7, 9]
    assert window.input().shape == (4, 1, 8, 8)
    assert parts.input().shape == (5, 1, 8, 8)


def test_modalities_that_share_get_the_same_numbers_and_others_do_not():
    rgb = made(augment={"crop": {"size": 16}, "flip": 0.5, "window": 2, "colour": {"contrast": 1}})
    depth = made(
        {"size": [80, 64], "channels": 1, "bits": 16},
        {"crop": {"size": 32}, "flip": 0.5, "window": 2},
    )
    first, second = rgb.draw(dice(group="cameras")), depth.draw(dice(group="cameras"))
    for name in ("flip", "frames"):
        assert torch.equal(first[name], second[name])
    assert ((first["box"] * 2 - second["box"]).abs() <= 2).all()
    assert not torch.equal(first["box"], rgb.draw(dice(group="other"))["box"])
    assert not torch.equal(first["box"], rgb.draw(dice(seed=1, group="cameras"))["box"])


def test_depth_with_a_range_is_cut_and_scaled():
    feeding = made(
        {"pick": {"even": 1}, "size": 8, "channels": 1, "bits": 16, "range": [500, 4500]}
    )
    stored = np.full((2, 1, 8, 8, 1), 2500, dtype=np.uint16)
    stored[0, 0, 0, :3, 0] = (0, 4500, 65535)
    values = feeding.prepare(torch.from_numpy(stored), {})
    assert values[0, 0, 0, 0, :4].tolist() == [0, 1, 1, 0.5]
    found = feeding.statistics([stored])
    expected = np.clip((stored - 500.0) / 4000, 0, 1)
    assert found.mean == pytest.approx((expected.mean(),), rel=1e-5)
    assert found.std == pytest.approx((expected.std(),), rel=1e-5)
    feeding.bind(found, CPU)
    assert float(feeding.prepare(torch.from_numpy(stored), {}).mean()) == pytest.approx(0, abs=1e-5)


def test_stated_mean_and_deviation_are_those_of_pictures_from_0_to_1():
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    feeding = made(augment={"mean": mean, "std": std})
    feeding.bind(feeding.statistics([]), CPU)
    stored = pictures(count=1, frames=4)
    theirs = functional.normalize(stored.permute(0, 1, 4, 2, 3).float() / 255, mean, std)
    torch.testing.assert_close(feeding.prepare(stored, {}), theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "augment", "words"),
    [
        ({}, {"crop": {"size": 64}}, "augment.crop.size (64, 64) is larger than size (40, 32)"),
        ({}, {"window": 5}, "augment asks for 5 of 4 stored frames"),
        ({}, {"mean": [0.5], "std": [0.5]}, "augment.mean: 3 values"),
        ({}, {"window": 2, "segments": 2}, "say window or segments, not both"),
        ({}, {"crop": {"size": 16, "scale": [0.5, 1.5]}}, "scale: two shares of the area"),
        ({"range": [0, 10]}, {}, "range: [low, high] of 16-bit values"),
        ({"bits": 16}, {}, "bits: 16 are of one channel; add channels: 1"),
        ({"axes": "thw2"}, {}, "axes: '2' is none of t, h, w, c, 1"),
        ({"size": [40]}, {}, "size"),
    ],
)
def test_what_contradicts_is_refused(settings, augment, words):
    info = registry.kinds()["frames"]
    with pytest.raises(ValueError) as caught:
        table = {"pick": {"even": 4}, "size": [40, 32], **settings}
        checked = registry.check(info.settings, table, "modalities.rgb")
        info.check(checked, registry.check(info.augment, augment, "augment.rgb"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
