"""Normalisation and random views, by hand."""

import numpy as np
import pytest
import torch

from equipoise.errors import UserError
from equipoise.modalities.base import reader
from equipoise.modalities.feed import feed
from equipoise.modalities.normalise import moments
from equipoise.modalities.sound.feed import mask
from equipoise.modalities.views import moved

CPU = torch.device("cpu")


def made(kind, settings, augment=None):
    return feed(reader("m", kind, settings), kind, augment or {})


def test_statistics_and_normalisation_of_a_video_by_channel():
    video = np.random.default_rng(0).integers(0, 255, (7, 2, 8, 9, 3)).astype(np.uint8)
    frames = made("frames", {"pick": {"even": 2}, "size": (8, 9)})
    norm = frames.statistics([video[:3], video[3:]])
    flat = video.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(norm.mean, flat.mean(0), rtol=1e-5)
    np.testing.assert_allclose(norm.std, flat.std(0), rtol=1e-5)
    frames.bind(norm, CPU)
    x = frames.prepare(torch.from_numpy(video), {})
    assert x.shape == (7, 2, 3, 8, 9) and x.dtype == torch.float32
    expected = (float(video[6, 1, 2, 3, 2]) - norm.mean[2]) / norm.std[2]
    assert float(x[6, 1, 2, 2, 3]) == pytest.approx(expected, rel=1e-4)
    assert float(x.mean()) == pytest.approx(0, abs=1e-4)


def test_normalisation_of_spectrograms_and_images():
    stored = np.random.default_rng(0).normal(3, 2, (6, 9, 8)).astype(np.float16)
    sound = made("sound", {"rate": 1000, "seconds": 0.112, "n_fft": 16, "hop": 16})
    sound.bind(sound.statistics([stored]), CPU)
    x = sound.prepare(torch.from_numpy(stored), {})
    assert x.shape == (6, 9, 8) and x.dtype == torch.float32
    assert float(x.std(unbiased=False)) == pytest.approx(1, abs=1e-3)
    pictures = np.full((2, 8, 9, 3), 7, np.uint8)  # constant: no division by zero
    image = made("image", {"size": (8, 9)})
    image.bind(image.statistics([pictures]), CPU)
    x = image.prepare(torch.from_numpy(pictures), {})
    assert x.shape == (2, 1, 3, 8, 9) and not x.any()


def test_statistics_refuse_what_is_not_a_number_and_nothing_at_all():
    with pytest.raises(UserError, match="'m' in the training split hold NaN or infinity"):
        moments([np.array([[1.0, np.nan]])], 1, "m")
    with pytest.raises(UserError, match="empty"):
        moments([], 1, "m")


def test_a_shift_moves_each_sample_by_its_own_offset_and_repeats_the_border():
    pictures = torch.arange(2 * 2 * 4 * 5 * 3).reshape(2, 2, 4, 5, 3)
    shifted = moved(pictures, {"shift": torch.tensor([[1, -2], [0, 0]])})
    assert torch.equal(shifted[1], pictures[1])
    for row in range(4):
        for column in range(5):
            source = pictures[0, :, max(row - 1, 0), min(column + 2, 4), :]
            assert torch.equal(shifted[0, :, row, column, :], source)


def test_a_time_mask_blanks_its_span_only():
    x = torch.ones(2, 3, 10)
    masked = mask(x, torch.tensor([[[0.2, 0.3]], [[0.5, 0.0]]]), -1)
    assert masked[0, 0].tolist() == [1, 1, 0, 0, 0, 1, 1, 1, 1, 1]
    assert torch.equal(masked[1], x[1])
