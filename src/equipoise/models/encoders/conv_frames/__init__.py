"""Encoder ``conv_frames``."""

from equipoise.registry import EncoderInfo

ENCODERS = {
    "conv_frames": EncoderInfo(
        summary="small 2-D convolutions on every frame, averaged over time; for small pictures",
        reads=("pictures",),
        plugin="equipoise.models.encoders.conv_frames.network:build",
    )
}
