"""Build a model from names and shapes."""

import importlib
from collections.abc import Collection, Mapping

from torch import nn

from equipoise import params, registry
from equipoise.errors import UserError, nearest
from equipoise.modalities.base import Input
from equipoise.models import fusion as fusions
from equipoise.models.encoder import Encoder, Projection
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.models.weights import Placed


def build_encoder(chosen: params.Encoder, given: Input, features: int) -> Encoder:
    """Build an encoder for inputs ``given``; its weights come from torch's global generator.

    Raises:
        UserError: No such encoder, or it cannot read these inputs.
    """
    known = registry.encoders()
    if chosen.name not in known:
        raise UserError(f"unknown encoder {chosen.name!r}{nearest(chosen.name, known)}")
    info = known[chosen.name]
    if given.layout not in info.reads:
        raise UserError(
            f"encoder {chosen.name!r} reads {' or '.join(info.reads)}, not {given.layout}"
        )
    module, _, function = info.plugin.partition(":")
    options = registry.check(info.options, chosen.options, f"options of {chosen.name!r}")
    encoder: Encoder = getattr(importlib.import_module(module), function)(given, features, options)
    return encoder


def complete(chosen: params.Encoder, placed: Placed) -> params.Encoder:
    """Return an encoder whose options say all of the network, by the folder of its weights.

    Raises:
        UserError: The folder does not say what the network is.
    """
    info = registry.encoders()[chosen.name]
    if not info.complete:
        return chosen
    module, _, function = info.complete.partition(":")
    options = getattr(importlib.import_module(module), function)(chosen.options, placed.path.parent)
    return chosen.model_copy(update={"options": options})


def build_model(
    inputs: Mapping[str, Input],
    encoders: Mapping[str, params.Encoder],
    fusion: str,
    features: int,
    classes: int,
    embedded: Collection[str] = (),
) -> MultimodalClassifier:
    """Build a model; its initial weights come from torch's global generator.

    The fusion is drawn last: encoders and heads start equal for every fusion and the same seed.

    Args:
        inputs: Modality to what its encoder is given.
        encoders: Modality to its encoder; may name more than there are.
        fusion: Name of the fusion.
        features: Length of every feature vector.
        classes: Number of classes.
        embedded: Modalities whose inputs are what the encoder's body makes of them.

    Raises:
        UserError: A modality without encoder, or an unknown encoder or fusion.
    """
    built: dict[str, nn.Module] = {}
    for modality, given in inputs.items():
        if modality not in encoders:
            raise UserError(f"no encoder is named for modality {modality!r}; add one to encoders")
        chosen = encoders[modality]
        if modality in embedded:
            encoder: Encoder = Projection(given.shape[0], features)
        else:
            encoder = build_encoder(chosen, given, features).freeze(chosen.freeze)
        encoder.rates = dict(chosen.rates)
        built[modality] = encoder
    late = fusions.build("late", list(built), features, classes)  # no weights, no random numbers
    model = MultimodalClassifier(built, late, features, classes)
    model.fusion = fusions.build(fusion, list(built), features, classes)
    return model
