"""What the augmentation leaves out of every sample is said by stage audit: shares by hand."""

import pytest

from equipoise import params, registry

FRAMES = {"pick": {"even": 8}, "size": 32}


def shares(kind, settings, augment):
    info = registry.kinds()[kind]
    return info.left_out(info.settings(**settings), info.augment(**augment))


@pytest.mark.parametrize(
    ("augment", "expected"),
    [
        ({}, {}),
        ({"flip": 0.5, "segments": 4}, {}),
        ({"crop": {"size": 32, "scale": None}}, {}),
        # 16 x 24 of 32 x 32 is 3/8.
        (
            {"crop": {"size": [16, 24], "scale": None}},
            {("area", "training"): (5 / 8, 5 / 8), ("area", "evaluation"): (5 / 8, 5 / 8)},
        ),
        # A part between 0.2 and 0.8 of the area: 0.5 is left out on average, 0.8 at most.
        (
            {"crop": {"size": 16, "scale": [0.2, 0.8], "evaluate": "whole"}},
            {("area", "training"): (0.5, 0.8)},
        ),
        (
            {"crop": {"size": 64, "scale": [0.2, 1.0], "evaluate": "whole"}},
            {("area", "training"): (0.4, 0.8)},
        ),
        ({"window": 6}, {("time", w): (0.25, 0.25) for w in ("training", "evaluation")}),
    ],
)
@pytest.mark.parametrize("kind", ["frames", "flow"])
def test_pictures_of_a_clip(kind, augment, expected):
    found = shares(kind, FRAMES, augment)
    assert found.keys() == expected.keys()
    for name, two in expected.items():
        assert found[name] == pytest.approx(two)


def test_stills_sounds_and_signals():
    crop = {"crop": {"size": 16, "scale": None}}
    area = pytest.approx((3 / 4, 3 / 4))
    assert shares("image", {"size": 32}, crop)["area", "evaluation"] == area
    sound = {"rate": 8000, "seconds": 2.0, "n_fft": 64, "hop": 64}
    assert shares("sound", sound, {"window": 0.5})["time", "evaluation"] == (0.75, 0.75)
    assert shares("sound", sound, {"shift": 0.1}) == {}
    assert shares("signal", {"length": 10, "channels": 1}, {"window": 9})["time", "training"] == (
        pytest.approx((0.1, 0.1))
    )


def test_of_a_configuration():
    loaded = params.load(overlays=["configs/nvgesture.yaml"], feasible=False)
    for stream in loaded.streams_of("nvgesture").values():
        kind = registry.kinds()[stream.kind]
        found = kind.left_out(stream.settings, stream.augment)
        part = 1 - (224 / 256) ** 2
        assert found["area", "evaluation"] == pytest.approx((part, part))
        assert found["time", "training"] == pytest.approx((0.2, 0.2))  # 64 of 80
