"""A small convolutional network on a spectrogram that keeps frequency apart. Trains on a CPU."""

import torch
from torch import Tensor, nn

from equipoise.models.layers import Conv2d


class ConvSpectrogram(nn.Module):
    """Two convolutions, the mean over time alone, then one linear layer over all frequencies.

    A mean over frequency would hide which tone sounds, so there is none.
    """

    def __init__(self, frequencies: int, features: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            Conv2d(1, 8, kernel_size=5, stride=(2, 4), padding=2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            Conv2d(8, 8, kernel_size=3, stride=(1, 2), padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
        )
        self.project = nn.Linear(8 * ((frequencies + 1) // 2), features)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map a normalised spectrogram (B, 1, freq, time) to features (B, D)."""
        maps = self.maps(spectrogram).mean(dim=3)
        return torch.relu(self.project(maps.flatten(1)))


def build(shape: tuple[int, ...], features: int) -> nn.Module:
    """Return the encoder of a spectrogram of stored shape (freq, time).

    Args:
        shape: Stored shape of one sample, without the sample axis.
        features: Length of the feature vector.
    """
    return ConvSpectrogram(shape[0], features)
