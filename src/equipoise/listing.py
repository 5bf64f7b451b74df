"""What the verbs ``methods``, ``encoders`` and ``modalities`` print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from inspect import getdoc
from typing import Any

from equipoise import registry
from equipoise.section import Section

Described = dict[str, dict[str, Any]]
Lines = Callable[[dict[str, Any]], list[str]]


def show(verb: str, as_json: bool) -> None:
    """Print what a verb lists: as JSON, or a paragraph for each."""
    describe, lines = VERBS[verb]
    described = describe()
    if as_json:
        sys.stdout.write(json.dumps(described, indent=2, ensure_ascii=False) + "\n")
        return
    for name, one in described.items():
        sys.stdout.write(f"{name}: {one['summary']}\n")
        sys.stdout.writelines(f"    {line}\n" for line in lines(one))


def describe_encoders() -> Described:
    """Return for each encoder, JSON-like: what it is and reads, its weights, and its options."""
    from equipoise.models import weights

    return {
        name: {
            "summary": info.summary,
            "paper": info.paper,
            "reads": list(info.reads),
            "parts": list(info.parts),
            "needs_weights": info.needs_weights,
            "weights": {
                key: {
                    "licence": row.licence,
                    "trained_on": row.trained_on,
                    "input": row.input,
                    "package": row.package,
                }
                for key, row in weights.table().items()
                if name in row.encoders
            },
            "options": _fields(info.options),
        }
        for name, info in registry.encoders().items()
    }


def describe_modalities() -> Described:
    """Return for each kind of modality, JSON-like: what it reads and gives, and its settings.

    What it gives may depend on the settings; said is what it is where they name nothing else.
    """
    return {
        name: {
            "summary": info.summary,
            "files": list(info.suffixes),
            "gives": info.layout(info.settings.model_construct()),
            "encoder": info.encoder(info.settings.model_construct()),
            "encoders": [
                key
                for key, encoder in registry.encoders().items()
                if info.layout(info.settings.model_construct()) in encoder.reads
            ],
            "settings": _fields(info.settings),
            "augment": _fields(info.augment),
        }
        for name, info in registry.kinds().items()
    }


def _fields(section: type[Section]) -> dict[str, dict[str, Any]]:
    defaults = section.model_construct().model_dump(mode="json", warnings=False)
    return {
        key: {
            **({} if field.is_required() else {"default": defaults[key]}),
            "required": field.is_required(),
            # A field that is a section says in its own docstring what it is.
            "meaning": " ".join((field.description or getdoc(field.annotation) or "").split()),
        }
        for key, field in section.model_fields.items()
    }


def _method(one: Mapping[str, Any]) -> list[str]:
    return [
        f"paper: {one['paper']}",
        f"variants: {', '.join(one['variants'])}; modalities: {one['modalities']}; "
        f"stands in methods.{one['stands_in']}; extra state: {one['state']}",
        f"grade: {_graded(one['grade'])}; assumes: {', '.join(one['assumes']) or 'nothing else'}",
        f"proposed for: {one['optimizer']}; cost: {_cost(one['cost'])}",
        f"options: {', '.join(one['options']) or 'none'}",
    ]


def _graded(grade: str) -> str:
    """Return a grade with what it means."""
    return f"{grade} ({registry.GRADES[grade]})" if grade in registry.GRADES else grade


def _cost(cost: Mapping[str, Mapping[str, float]]) -> str:
    """Return the measured cost in words."""
    parts = [
        f"{variant} {', '.join(f'{multiple:g} x joint on {d}' for d, multiple in rows.items())}"
        for variant, rows in cost.items()
    ]
    return "; ".join(parts) or "not measured"


def _encoder(one: Mapping[str, Any]) -> list[str]:
    weights = [f"{name} ({row['licence']})" for name, row in one["weights"].items()]
    needs = " (it needs some)" if one["needs_weights"] else ""
    return [
        f"paper: {one['paper']}",
        f"reads: {', '.join(one['reads'])}; parts: {', '.join(one['parts'])}",
        f"weights{needs}: {', '.join(weights) or 'none with a name'}",
        f"options: {', '.join(one['options']) or 'none'}",
    ]


def _modality(one: Mapping[str, Any]) -> list[str]:
    return [
        f"files: {' '.join(one['files'])}",
        f"gives: {one['gives']}; encoders: {', '.join(one['encoders'])}; of itself "
        f"{one['encoder']}",
        f"settings: {', '.join(one['settings'])}",
        f"augment: {', '.join(one['augment'])}",
    ]


#: Verb to how what it lists is described, and the lines below the first.
VERBS: dict[str, tuple[Callable[[], Described], Lines]] = {
    "methods": (registry.describe_methods, _method),
    "encoders": (describe_encoders, _encoder),
    "modalities": (describe_modalities, _modality),
}
