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
