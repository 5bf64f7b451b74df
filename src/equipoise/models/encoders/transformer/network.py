"""A transformer over sequences and tokens.

Attention is written out: the fused kernels have no second derivative, which some methods take, and
on a GPU no deterministic gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equipoise.modalities.base import Input
from equipoise.models.encoder import Encoder, masked_mean, without_padding
from equipoise.models.encoders.transformer import Options


class Layer(nn.Module):
    """Self-attention and a perceptron, each beside a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.before_layers = nn.LayerNorm(width)
        self.layers = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, values: Tensor, bias: Tensor) -> Tensor:
        """Map (B, L, W) to the same; ``bias`` (B, 1, 1, L) is added to the attention scores."""
        split = self.attention(self.before_attention(values)).unflatten(2, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5 + bias
        mixed = (scores.softmax(dim=3) @ value).transpose(1, 2).flatten(2)
        values = values + self.out(mixed)
        output: Tensor = values + self.layers(self.before_layers(values))
        return output


class Body(nn.Module):
    """Layers, and a last normalisation."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        layers = (Layer(options.width, options.heads) for _ in range(options.layers))
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(options.width)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Map (B, L, W) to the same; ``mask`` (B, L) is 0 where nothing may be read."""
        # Not -infinity: a sample without any token would be NaN.
        bias = (mask[:, None, None, :] - 1) * 1e4
        for layer in self.layers:
            values = layer(values, bias)
        output: Tensor = self.norm(values)
        return output


class Stem(nn.Module):
    """Values or tokens to vectors, with the position added."""

    def __init__(self, values: nn.Module, length: int, width: int) -> None:
        super().__init__()
        self.values = values
        self.positions = nn.Parameter(torch.randn(length, width) * 0.02)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, L) or (B, L, C) to (B, L, W)."""
        output: Tensor = self.values(inputs) + self.positions[: inputs.shape[1]]
        return output


class Transformer(Encoder):
    """The mean over all positions that are no padding."""

    def __init__(self, given: Input, features: int, options: Options) -> None:
        super().__init__(options.width, features)
        self.tokens = given.layout == "tokens"
        if self.tokens:
            values: nn.Module = nn.Embedding(given.vocabulary, options.width)
            length = given.shape[1]
        else:
            length, channels = given.shape
            values = nn.Linear(channels, options.width)
        self.stem = Stem(values, length, options.width)
        self.body = Body(options)

    def embed(self, inputs: Tensor) -> Tensor:
        """Map sequences (B, T, C) or tokens (B, 2, L) to (B, E)."""
        if self.tokens:
            ids, there = without_padding(inputs).unbind(1)
            mask = there.float()
        else:
            ids, mask = inputs, inputs.new_ones(inputs.shape[:2])
        return masked_mean(self.body(self.stem(ids), mask), mask)


def build(given: Input, features: int, options: Options) -> Transformer:
    """Return the encoder of sequences (T, C) or tokens (2, L)."""
    return Transformer(given, features, options)
