"""A convolutional network for speech on a spectrogram: which sound, and roughly when."""

from torch import Tensor, nn

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder
from equipoise.models.layers import Conv2d, means
from equipoise.section import Section

BANDS, MOMENTS = 8, 4
"""The grid of frequency and time that is kept: speech is an order of sounds."""
_CHANNELS = (16, 32, 64)


class ConvSpeech(Encoder):
    """Each clip brought to zero mean and unit variance, three convolutions, a coarse grid.

    The level of a log-spectrogram is the loudness of the speaker and the gain of the microphone;
    taking it out is what lets the network hear a voice that it was not trained on.
    """

    def __init__(self, features: int) -> None:
        super().__init__(_CHANNELS[-1] * BANDS * MOMENTS, features)
        blocks: list[nn.Module] = []
        before = 1
        for channels, stride in zip(_CHANNELS, (2, 1, 1), strict=True):
            blocks += [
                Conv2d(before, channels, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
            before = channels
        self.body = nn.Sequential(*blocks)

    def embed(self, inputs: Tensor) -> Tensor:
        """Map spectrograms (B, freq, time) to (B, E)."""
        spectrogram = inputs.unsqueeze(1)
        mean = spectrogram.mean(dim=(2, 3), keepdim=True)
        deviation = spectrogram.std(dim=(2, 3), keepdim=True)
        maps = self.body((spectrogram - mean) / (deviation + 1e-3))
        return _grid(maps).flatten(1)


def _grid(maps: Tensor) -> Tensor:
    """Average (B, C, freq, time) to (B, C, BANDS, MOMENTS).

    By two matrix products: adaptive pooling has no deterministic gradient on CUDA.
    """
    bands = means(maps.shape[2], BANDS, maps)
    moments = means(maps.shape[3], MOMENTS, maps)
    return bands @ maps @ moments.T


def build(given: Input, features: int, options: Section) -> Encoder:
    """Return the encoder of spectrograms (freq, time)."""
    return ConvSpeech(features)
