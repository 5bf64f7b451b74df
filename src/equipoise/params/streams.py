"""The modalities of a data set, as params.yaml says them: checked, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise import registry
from equipoise.errors import UserError
from equipoise.models import weights
from equipoise.params import presets
from equipoise.params.sections import Encoder
from equipoise.section import Section, known

#: Keys of a modality that are not settings of its kind.
OWN = ("kind", "column")


@dataclass(frozen=True)
class Stream:
    """One modality of a data set."""

    name: str
    kind: str
    column: str
    """Column of the manifest that holds its path, or the sample itself."""
    inline: bool
    """Whether the column holds the sample itself."""
    settings: Section
    augment: Section

    def table(self) -> dict[str, Any]:
        """Return ``{kind, column, …settings}`` with all defaults, JSON-like."""
        values = self.settings.model_dump(mode="json")
        return {"kind": self.kind, "column": self.column, **values}


def streams(
    modalities: Mapping[str, Mapping[str, Any]],
    augment: Mapping[str, Mapping[str, Any]],
    dataset: str,
) -> dict[str, Stream]:
    """Check the tables ``modalities`` and ``augment`` of a data set; presets are filled in.

    Raises:
        ValueError: One line that begins with ``datasets.<dataset>``.
    """
    where = f"datasets.{dataset}"
    for name in augment:
        known(name, modalities, f"{where}.augment: modality")
    tables = {
        name: presets.filled(table, dataset, name, f"{where}.modalities.{name}")
        for name, table in modalities.items()
    }
    return {
        name: _stream(name, table, augment.get(name, {}), where) for name, table in tables.items()
    }


def _stream(name: str, table: Mapping[str, Any], augment: Mapping[str, Any], where: str) -> Stream:
    here = f"{where}.modalities.{name}"
    if "kind" not in table:
        raise ValueError(f"{here}: kind is missing; one of {', '.join(registry.kinds())}")
    info = registry.kinds()[registry.known_kind(table["kind"], here)]
    column = table.get("column", name)
    if not isinstance(column, str) or not column:
        raise ValueError(f"{here}.column: the name of a column of the manifest (got {column!r})")
    values = {key: value for key, value in table.items() if key not in OWN}
    settings = registry.check(info.settings, values, here)
    changes = registry.check(info.augment, augment, f"{where}.augment.{name}")
    if info.check is not None:
        try:
            info.check(settings, changes)
        except ValueError as error:
            raise ValueError(f"{here}: {error}") from None
    return Stream(name, table["kind"], column, info.inline(settings), settings, changes)


def encoders(
    chosen: Mapping[str, str | Encoder], modalities: Mapping[str, Stream], where: str
) -> dict[str, Encoder]:
    """Return the encoder of every modality: the chosen one, or the one of its kind.

    Raises:
        ValueError: Unknown, or it cannot read what its modality gives; begins with ``where``.
    """
    for name in chosen:
        known(name, modalities, f"{where}.encoders: modality")
    return {name: _encoder(chosen.get(name), stream, where) for name, stream in modalities.items()}


def _encoder(given: str | Encoder | None, stream: Stream, where: str) -> Encoder:
    kind = registry.kinds()[stream.kind]
    encoder = Encoder(name=kind.encoder(stream.settings)) if given is None else given
    encoder = Encoder(name=encoder) if isinstance(encoder, str) else encoder
    here = f"{where}.encoders.{stream.name}"
    known(encoder.name, registry.encoders(), f"{here}: encoder")
    info = registry.encoders()[encoder.name]
    layout = kind.layout(stream.settings)
    if layout not in info.reads:
        fitting = [name for name, other in registry.encoders().items() if layout in other.reads]
        raise ValueError(
            f"{here}: {encoder.name!r} reads {' or '.join(info.reads)}, but {stream.name!r} "
            f"({stream.kind}) gives {layout}; use one of {', '.join(fitting)}"
        )
    for part in encoder.rates:
        known(part, info.parts, f"{here}.rates: part of {encoder.name!r}")
    if encoder.freeze != "none" and encoder.freeze not in info.parts:
        raise ValueError(f"{here}.freeze: {encoder.name!r} has no {encoder.freeze}")
    _check_weights(encoder, info.needs_weights, here)
    if encoder.freeze == "body" and stream.augment != type(stream.augment)():
        raise ValueError(
            f"{here}.freeze: stage embed runs {encoder.name!r} once, so that nothing of "
            f"{where}.augment.{stream.name} can be random; leave one of them out"
        )
    options = registry.check(info.options, encoder.options, f"{here}.options")
    return encoder.model_copy(update={"options": options.model_dump(mode="json")})


def _check_weights(encoder: Encoder, needed: bool, here: str) -> None:
    """Check that the weights are known and of this encoder, and that nothing random is frozen."""
    if encoder.weights:
        try:
            weights.find(encoder.weights, encoder.name)
        except (ValueError, UserError) as error:
            raise ValueError(f"{here}.weights: {error}") from None
    elif needed:
        named = ", ".join(weights.names(encoder.name))
        raise ValueError(
            f"{here}.weights: {encoder.name!r} is nothing without weights; name a folder, "
            f"hub:OWNER/NAME, or one of {named}"
        )
    elif encoder.freeze != "none":
        raise ValueError(
            f"{here}.freeze: without weights a frozen {encoder.freeze} stays random; name weights, "
            "or leave freeze out"
        )
