"""What every section of params.yaml has in common: strict values, merging, one-line mistakes."""

from __future__ import annotations

import copy
import reprlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from equipoise.errors import nearest

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*$")]
Positive = Annotated[int, Field(ge=1, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""What NumPy and torch take; a checkpoint keeps it in 64 bits."""
Fraction = Annotated[float, Field(ge=0, lt=1)]

#: Of a wrong value, enough to find it: a few lines of YAML can stand for gigabytes.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200

#: Tables that an overlay replaces as a whole; every other table is merged key by key.
REPLACED = ("datasets", "methods.from_scratch", "methods.from_warmup", "methods.with_teacher")


class Section(BaseModel):
    """A table of params.yaml: unknown keys, wrong types and NaN are errors, values are frozen."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


S = TypeVar("S", bound=Section)


def overlay(base: Mapping[str, Any], change: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Merge ``change`` into a copy of ``base``; tables named in REPLACED are taken whole."""
    merged = copy.deepcopy(dict(base))
    for key, value in change.items():
        path = f"{where}{key}"
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping) and path not in REPLACED:
            merged[key] = overlay(old, value, f"{path}.")
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def merged(section: S, change: Mapping[str, Any], where: str) -> S:
    """Return ``section`` with ``change`` laid over it and checked.

    Raises:
        ValueError: One line that begins with ``where``.
    """
    if not change:
        return section
    kind = type(section)
    try:
        return kind.model_validate(overlay(section.model_dump(), change))
    except ValidationError as error:
        raise ValueError(f"{where}.{explain(kind, error)}") from None


def known(name: str, names: Iterable[str], what: str) -> None:
    """Raise a ValueError that names the nearest of ``names``, unless ``name`` is among them."""
    names = list(names)
    if name not in names:
        raise ValueError(f"{what} {name!r} is unknown{nearest(name, names)}")


def explain(kind: type[BaseModel], error: ValidationError) -> str:
    """Say in one line which key of ``kind`` is wrong, how, and which valid key is nearest."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        *path, last = first["loc"]
        return f"{key}: unknown key{nearest(str(last), _fields(kind, path))}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] not in ("value_error", "json_invalid"):
        message += f" (got {_SHORT.repr(first['input'])})"
    return f"{key}: {message}" if key else message


def _fields(kind: type[BaseModel], path: Iterable[Any]) -> list[str]:
    """Return the valid keys of the section at ``path`` below ``kind``."""
    for part in path:
        field = kind.model_fields.get(str(part))
        if field is None:
            continue  # a key of a free table, such as the name of a data set
        inner: Any = field.annotation
        for candidate in [inner, *getattr(inner, "__args__", ())]:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                kind = candidate
                break
    return list(kind.model_fields)
