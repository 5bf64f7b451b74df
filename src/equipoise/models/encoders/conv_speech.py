"""A convolutional network for speech on a spectrogram: which sound, and roughly when."""

import torch
from torch import Tensor, nn

from equipoise.models.layers import Conv2d

BANDS, MOMENTS = 8, 4
"""The grid of frequency and time that is kept: speech is an order of sounds."""


class ConvSpeech(nn.Module):
    """Each clip brought to zero mean and unit variance, three convolutions, a coarse grid.

    The level of a log-spectrogram is the loudness of the speaker and the gain of the microphone;
    taking it out is what lets the network hear a voice that it was not trained on.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before = 1
        for channels, stride in ((16, 2), (32, 1), (64, 1)):
            blocks += [
                Conv2d(before, channels, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
            before = channels
        self.maps = nn.Sequential(*blocks)
        self.project = nn.Linear(before * BANDS * MOMENTS, features)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map a spectrogram (B, 1, freq, time) to features (B, D)."""
        mean = spectrogram.mean(dim=(2, 3), keepdim=True)
        deviation = spectrogram.std(dim=(2, 3), keepdim=True)
        maps = self.maps((spectrogram - mean) / (deviation + 1e-3))
        return torch.relu(self.project(_grid(maps).flatten(1)))


def _grid(maps: Tensor) -> Tensor:
    """Average (B, C, freq, time) to (B, C, BANDS, MOMENTS).

    By two matrix products: adaptive pooling has no deterministic gradient on CUDA.
    """
    bands = _means(maps.shape[2], BANDS, maps)
    moments = _means(maps.shape[3], MOMENTS, maps)
    return bands @ maps @ moments.T


def _means(size: int, cells: int, like: Tensor) -> Tensor:
    """Return (cells, size): row k averages the k-th of ``cells`` equal, maybe overlapping parts."""
    matrix = like.new_zeros(cells, size)
    for cell in range(cells):
        start, stop = cell * size // cells, -((cell + 1) * size // -cells)
        matrix[cell, start:stop] = 1 / (stop - start)
    return matrix


def build(shape: tuple[int, ...], features: int) -> nn.Module:
    """Return the encoder of a spectrogram of stored shape (freq, time).

    Args:
        shape: Stored shape of one sample, without the sample axis.
        features: Length of the feature vector.
    """
    return ConvSpeech(features)
