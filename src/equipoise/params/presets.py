"""Presets: what published programs give their networks, as settings that a modality can name.

``modalities: {audio: {like: ogm_ge}}`` takes the settings of ``presets.toml`` for this modality of
this data set; ``like: crema_d/ogm_ge/audio`` takes them for any. What the modality says itself
wins, setting by setting. After that nobody knows of a preset: settings are compared and recorded
as if they had been written out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from equipoise.errors import nearest
from equipoise.section import Section

TABLE = Path(__file__).with_name("presets.toml")
KEY = "like"
"""Key of a modality that names a preset."""

Origin = Annotated[str, Field(pattern=r"^(code|paper|ours)\b")]
Value = Annotated[tuple[Any, Origin], Field(strict=False)]


class Preset(Section):
    """One preset; the fields are explained in presets.toml."""

    whose: str
    differs: str
    modalities: dict[str, dict[str, Value]]
    """Modality to setting to value and origin."""
    gives: dict[str, list[int]]
    """Modality to the shape of what is stored."""

    def settings(self, modality: str) -> dict[str, Any]:
        """Return setting to value, without ``gives``."""
        return {key: value for key, (value, _) in self.modalities[modality].items()}


@cache
def presets() -> dict[str, dict[str, Preset]]:
    """Read the table: data set to name to preset.

    Raises:
        pydantic.ValidationError: A preset is not complete.
    """
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {
        dataset: {name: _preset(rows, dataset, name) for name in named}
        for dataset, named in rows.items()
    }


def _preset(rows: Mapping[str, Any], dataset: str, name: str) -> Preset:
    row = _whole(rows, rows[dataset][name])
    said = {key: row.pop(key) for key in ("whose", "differs")}
    gives = {modality: table.pop("gives") for modality, table in row.items()}
    return Preset.model_validate({**said, "modalities": row, "gives": gives})


def _whole(rows: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with what it takes from others."""
    dataset, _, name = row.get(KEY, "").partition("/")
    base = _whole(rows, rows[dataset][name]) if name else {}
    for key, value in row.items():
        if key != KEY:
            base[key] = {**base.get(key, {}), **value} if isinstance(value, Mapping) else value
    return base


def filled(table: Mapping[str, Any], dataset: str, modality: str, where: str) -> dict[str, Any]:
    """Return the table of a modality with the settings of the preset that it names, if any.

    Raises:
        ValueError: There is no such preset; the nearest one is named. Begins with ``where``.
    """
    own = {key: value for key, value in table.items() if key != KEY}
    if KEY not in table:
        return own
    parts = str(table[KEY]).split("/")
    place = [dataset, parts[0], modality] if len(parts) == 1 else parts
    name, known = "/".join(place), _names()
    if name not in known:
        near = nearest(name, known)
        raise ValueError(f"{where}.{KEY}: no preset {name!r} (DATASET/NAME/MODALITY){near}")
    return {**presets()[place[0]][place[1]].settings(place[2]), **own}


@cache
def _names() -> list[str]:
    return [
        f"{dataset}/{name}/{modality}"
        for dataset, named in presets().items()
        for name, preset in named.items()
        for modality in preset.modalities
    ]


def describe(dataset: str) -> dict[str, Any]:
    """Return the presets of one data set, for programs: settings with their origins, and shapes."""
    return {
        name: {
            "whose": preset.whose,
            "differs": preset.differs,
            "modalities": {
                modality: {
                    "gives": preset.gives[modality],
                    "settings": preset.settings(modality),
                    "origin": {key: origin for key, (_, origin) in table.items()},
                }
                for modality, table in preset.modalities.items()
            },
        }
        for name, preset in presets().get(dataset, {}).items()
    }
