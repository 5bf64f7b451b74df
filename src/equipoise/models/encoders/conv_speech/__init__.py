"""Encoder ``conv_speech``."""

from equipoise.registry import EncoderInfo

ENCODERS = {
    "conv_speech": EncoderInfo(
        summary="small 2-D convolutions on a spectrogram, its level taken out; for speech",
        reads=("spectrogram",),
        plugin="equipoise.models.encoders.conv_speech.network:build",
    )
}
