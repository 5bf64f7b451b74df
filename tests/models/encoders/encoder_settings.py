"""The one table of all encoders: the tests of test_every_encoder.py run on each row.

A new encoder needs a row here for each layout it reads, and nothing else.
"""

from dataclasses import dataclass, field
from typing import Any

import torch

from equipoise.modalities.base import Input


@dataclass(frozen=True)
class Row:
    """How an encoder is tried: on small inputs."""

    name: str
    given: Input
    options: dict[str, Any] = field(default_factory=dict)
    like: str = ""
    """The row whose layers it has, only more of them: what is slow runs on that one."""

    @property
    def id(self) -> str:
        return f"{self.name}-{self.given.layout}"

    def inputs(self, batch: int = 4, seed: int = 0) -> torch.Tensor:
        """Return a batch as a feed gives it."""
        generator = torch.Generator().manual_seed(seed)
        if self.given.layout != "tokens":
            return torch.randn(batch, *self.given.shape, generator=generator)
        length = self.given.shape[1]
        ids = torch.randint(1, self.given.vocabulary, (batch, length), generator=generator)
        lengths = torch.arange(batch)[:, None] % length + 1
        mask = (torch.arange(length) < lengths).long()
        return torch.stack([ids * mask, mask], dim=1)


PICTURES = Input("pictures", (2, 3, 40, 36))
SPECTROGRAM = Input("spectrogram", (65, 40))
SEQUENCE = Input("sequence", (20, 6))
TOKENS = Input("tokens", (2, 7), vocabulary=50)


def tiny(model_type: str, **values: Any) -> dict[str, Any]:
    """Return options of ``pretrained`` with the configuration of a very small network."""
    sizes = {
        "model_type": model_type,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    return {"config": {**sizes, **values}}


SPEECH = {
    "conv_dim": [8, 8],
    "conv_kernel": [10, 3],
    "conv_stride": [5, 2],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}

ROWS = [
    Row("conv_frames", PICTURES),
    Row("conv_clip", Input("pictures", (7, 3, 20, 18)), {"width": 16, "moments": 3}),
    Row("conv_spectrogram", SPECTROGRAM),
    Row("conv_speech", SPECTROGRAM),
    Row("resnet18", PICTURES),
    Row("resnet18", Input("spectrogram", (33, 40))),
    Row("resnet34", Input("pictures", (2, 3, 12, 9)), {"entry": "small"}, like="resnet18"),
    Row("resnet34", Input("spectrogram", (17, 9)), {"entry": "small"}, like="resnet18"),
    Row("resnet50", Input("pictures", (2, 3, 12, 9)), {"entry": "small"}, like="resnet18"),
    Row("resnet50", Input("spectrogram", (17, 9)), {"entry": "small"}, like="resnet18"),
    Row("efficientnet_lite0", PICTURES),
    Row("i3d", Input("pictures", (9, 2, 24, 20)), {"width": 0.1}),
    Row("pretrained", TOKENS, tiny("bert", vocab_size=50, max_position_embeddings=8)),
    Row("pretrained", Input("pictures", (2, 3, 32, 32)), tiny("vit", image_size=32)),
    Row("pretrained", Input("waveform", (400,)), {**tiny("wav2vec2", **SPEECH), "level": True}),
    Row(
        "pretrained",
        Input("spectrogram", (16, 32)),
        tiny("audio-spectrogram-transformer", max_length=32, num_mel_bins=16),
    ),
    Row("mlp", Input("vector", (9,)), {"layers": 3}),
    Row("gru", SEQUENCE, {"layers": 2}),
    Row("temporal_conv", SEQUENCE),
    Row("transformer", SEQUENCE),
    Row("transformer", TOKENS, {"width": 16, "heads": 2}),
    Row("bag", TOKENS),
]
