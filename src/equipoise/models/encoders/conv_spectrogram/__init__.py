"""Encoder ``conv_spectrogram``."""

from equipoise.registry import EncoderInfo

ENCODERS = {
    "conv_spectrogram": EncoderInfo(
        summary="small 2-D convolutions on a spectrogram that keep frequency apart; for tones",
        reads=("spectrogram",),
        plugin="equipoise.models.encoders.conv_spectrogram.network:build",
    )
}
