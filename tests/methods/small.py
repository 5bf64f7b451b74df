"""A small linear model and a random batch, in float64, or in float32 as in training."""

import torch
from torch import nn

from equipoise.methods.base import Batch
from equipoise.models import fusion as fusions
from equipoise.models.multimodal import MultimodalClassifier


def model(fusion="concat", modalities=("audio", "video"), features=4, classes=3, inputs=5):
    torch.manual_seed(0)
    encoders = {m: nn.Linear(inputs, features) for m in modalities}
    fused = fusions.build(fusion, list(modalities), features, classes)
    return MultimodalClassifier(encoders, fused, features, classes).double()


def batch(modalities=("audio", "video"), count=6, classes=3, inputs=5):
    generator = torch.Generator().manual_seed(1)
    x = {
        m: torch.randn(count, inputs, generator=generator, dtype=torch.float64) for m in modalities
    }
    return Batch(x, torch.arange(count) % classes, torch.arange(count))


def model32(**kinds):
    return model(**kinds).float()


def batch32(modalities=("audio", "video")):
    data = batch(modalities)
    data.inputs = {m: x.float() for m, x in data.inputs.items()}
    return data


class Transformer(nn.Module):
    """One layer of self-attention over a sequence (B, T, D), averaged over T."""

    def __init__(self, width):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(width, 2, 12, dropout=0.0, batch_first=True)

    def forward(self, x):
        return self.layer(x).mean(dim=1)


def mixed(features=4, classes=3, count=6):
    """Modality ``image`` with a convolutional encoder, ``text`` with a transformer; and a batch."""
    torch.manual_seed(0)
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    convolution = nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), *pooled, nn.Linear(5, features)
    )
    encoders = {"image": convolution, "text": Transformer(features)}
    fused = fusions.build("concat", list(encoders), features, classes)
    net = MultimodalClassifier(encoders, fused, features, classes)
    x = {"image": torch.randn(count, 1, 7, 7), "text": torch.randn(count, 6, features)}
    return net, Batch(x, torch.arange(count) % classes, torch.arange(count))
