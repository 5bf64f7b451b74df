"""A small convolutional network on a spectrogram that keeps frequency apart. Trains on a CPU."""

from torch import Tensor, nn

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder
from equipoise.models.layers import Conv2d
from equipoise.section import Section


class ConvSpectrogram(Encoder):
    """Two convolutions, the mean over time alone, then one linear layer over all frequencies.

    A mean over frequency would hide which tone sounds, so there is none.
    """

    def __init__(self, frequencies: int, features: int) -> None:
        super().__init__(8 * ((frequencies + 1) // 2), features)
        self.body = nn.Sequential(
            Conv2d(1, 8, kernel_size=5, stride=(2, 4), padding=2, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            Conv2d(8, 8, kernel_size=3, stride=(1, 2), padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
        )

    def embed(self, inputs: Tensor) -> Tensor:
        """Map normalised spectrograms (B, freq, time) to (B, E)."""
        maps: Tensor = self.body(inputs.unsqueeze(1)).mean(dim=3)
        return maps.flatten(1)


def build(given: Input, features: int, options: Section) -> Encoder:
    """Return the encoder of spectrograms (freq, time)."""
    return ConvSpectrogram(given.shape[0], features)
