"""What exists: data sets, kinds of modalities, encoders and methods are found by their folder.

Nothing heavy is imported here: parameters are checked before the graph is built.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from equipoise.errors import nearest
from equipoise.section import S, Section, explain

if TYPE_CHECKING:
    from equipoise.params import Params

LAYOUTS = {
    "pictures": "(frames, channels, height, width)",
    "spectrogram": "(frequency, time)",
    "sequence": "(time, channels)",
    "vector": "(values,)",
    "tokens": "(2, length): token ids, and 1 where a token is (0: padding)",
    "waveform": "(samples,)",
}
"""What an encoder may be given, and the axes of one sample."""


@dataclass(frozen=True)
class KindInfo:
    """What a kind of modality says of itself in its ``__init__.py`` (as ``KIND``)."""

    summary: str
    """One line."""
    settings: type[Section]
    """How a sample is read and stored: ``datasets.<name>.modalities.<modality>``."""
    augment: type[Section]
    """What is random in training: ``datasets.<name>.augment.<modality>``."""
    reader: str
    """``module:Class`` of its :class:`equipoise.modalities.base.Reader` (imported when used)."""
    feed: str
    """``module:Class`` of its :class:`equipoise.modalities.feed.Feed` (imported when used)."""
    layout: Callable[[Any], str]
    """Settings to what an encoder is given: a name of :data:`LAYOUTS`."""
    encoder: str
    """The encoder where ``datasets.<name>.encoders`` names none."""
    suffixes: tuple[str, ...] = ()
    """Suffixes of the files it reads, lower case."""
    inline: Callable[[Any], bool] = lambda settings: False
    """Settings to whether the column of the manifest holds the sample itself, not a path."""
    check: Callable[[Any, Any], None] | None = None
    """Called with settings and augmentation; raises ValueError where they contradict each other."""


@dataclass(frozen=True)
class EncoderInfo:
    """What an encoder says of itself (one entry of ``ENCODERS`` in its ``__init__.py``)."""

    summary: str
    """One line."""
    reads: tuple[str, ...]
    """The layouts it can read."""
    plugin: str
    """``module:function``: (:class:`equipoise.modalities.base.Input`, features, options) to the
    network (imported only when it is used)."""
    options: type[Section] = Section
    """Its own options, with default, limits and origin."""
    needs_weights: bool = False
    """It is nothing without pretrained weights."""
    complete: str = ""
    """``module:function``: options and the folder of its weights to options that say all of the
    network, so that a trained model needs the folder no more."""
    parts: tuple[str, ...] = ("body", "projection")
    """Groups of its parameters, from the input on; ``stem`` is one of them where it has one."""
    paper: str = "ours"
    """Author, venue, year; or 'ours'."""


@dataclass(frozen=True)
class MethodInfo:
    """What a method folder says of itself in its ``__init__.py`` (as ``METHOD``)."""

    summary: str
    """One line."""
    paper: str
    """Author, venue, year, arXiv number; or 'ours'."""
    variants: tuple[str, ...]
    """Named variants, the default first."""
    options: type[Section]
    """Every hyper-parameter, with default, limits and origin."""
    plugin: str
    """``module:Class`` of the plug-in (imported only when training starts)."""
    modalities: tuple[int, int | None] = (1, None)
    """Fewest and most modalities it can work with (None: any number)."""
    needs_warmup: bool = False
    """It reads the posteriors of stage gap, so it can only stand in ``methods.from_warmup``."""
    state: str = "none"
    """Extra state kept in a checkpoint, in words."""
    check: Callable[[str, Any, Params], None] | None = None
    """Called with variant, options and all parameters; raises ValueError where options do not fit
    the rest of the parameters."""


def _modules(package: str) -> list[str]:
    root = importlib.import_module(package)
    names = (module.name for module in pkgutil.iter_modules(root.__path__))
    return sorted(name for name in names if not name.startswith("_"))


@cache
def datasets() -> list[str]:
    """Names of the built-in data sets."""
    return _modules("equipoise.data.datasets")


@cache
def kinds() -> dict[str, KindInfo]:
    """Every kind of modality: a sub-package of ``equipoise.modalities``."""
    return {name: module.KIND for name, module in _packages("equipoise.modalities")}


@cache
def encoders() -> dict[str, EncoderInfo]:
    """Every encoder: an entry of ``ENCODERS`` in a sub-package of ``equipoise.models.encoders``."""
    packages = _packages("equipoise.models.encoders")
    return {name: info for _, module in packages for name, info in module.ENCODERS.items()}


@cache
def methods() -> dict[str, MethodInfo]:
    """Every method: a sub-package of ``equipoise.methods``."""
    return {name: module.METHOD for name, module in _packages("equipoise.methods")}


def _packages(package: str) -> list[tuple[str, Any]]:
    root = importlib.import_module(package)
    names = sorted(m.name for m in pkgutil.iter_modules(root.__path__) if m.ispkg)
    return [(name, importlib.import_module(f"{package}.{name}")) for name in names]


def dataset(name: str) -> Any:
    """Import the module of a built-in data set."""
    return importlib.import_module(f"equipoise.data.datasets.{name}")


def method_of(key: str) -> tuple[str, str, str]:
    """Split ``<method>[-<variant>[-<label>]]`` into method, variant (default filled in) and label.

    Raises:
        ValueError: Unknown method or variant; the nearest one is named.
    """
    name, _, rest = key.partition("-")
    known = methods()
    if name not in known:
        raise ValueError(f"unknown method {name!r}{nearest(name, known)}")
    variant, _, label = rest.partition("-")
    variant = variant or known[name].variants[0]
    if variant not in known[name].variants:
        variants = known[name].variants
        raise ValueError(f"unknown variant {variant!r} of {name!r}{nearest(variant, variants)}")
    return name, variant, label


def known_kind(kind: Any, where: str) -> str:
    """Return the name of a kind.

    Raises:
        ValueError: There is no such kind; the nearest one is named.
    """
    if kind not in kinds():
        raise ValueError(f"{where}: unknown kind {kind!r}{nearest(str(kind), kinds())}")
    return str(kind)


def describe_methods() -> dict[str, dict[str, Any]]:
    """Return for each method, JSON-like: what it is, and its options with default and meaning."""
    return {
        name: {
            "summary": info.summary,
            "paper": info.paper,
            "variants": list(info.variants),
            "modalities": _count(*info.modalities),
            "stands_in": "from_warmup" if info.needs_warmup else "from_scratch or from_warmup",
            "state": info.state,
            "options": {
                key: {
                    "default": field.default,
                    "meaning": " ".join((field.description or "").split()),
                }
                for key, field in info.options.model_fields.items()
            },
        }
        for name, info in methods().items()
    }


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    return str(least) if least == most else f"{least} to {most}"


def check_method(
    key: str, options: Mapping[str, Any], start: str, params: Params | None = None
) -> None:
    """Check the name and the options of one entry of ``methods``, and that they fit ``params``.

    Raises:
        ValueError: With the key and the nearest valid one.
    """
    where = f"methods.{start}.{key}"
    try:
        name, variant, _ = method_of(key)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    info = methods()[name]
    if info.needs_warmup and start != "from_warmup":
        raise ValueError(f"{where}: {name!r} reads the modality gaps; move it to from_warmup")
    checked = check(info.options, options, where)
    if info.check is not None and params is not None:
        try:
            info.check(variant, checked, params)
        except ValueError as error:
            raise ValueError(f"{where}.{error}") from None


def check_dataset(name: str, download: Mapping[str, Any]) -> None:
    """Check that a data set is built in or names a folder, and its download options.

    Raises:
        ValueError: With the key and the nearest valid one.
    """
    where = f"datasets.{name}"
    if "folder" in download:
        from equipoise.data.folder import Settings

        check(Settings, download, f"{where}.download")
        return
    if name not in datasets():
        raise ValueError(
            f"{where}: no such data set{nearest(name, datasets())}; "
            "for your own data say download: {folder: PATH}"
        )
    check(dataset(name).Settings, download, f"{where}.download")


def check(kind: type[S], values: Mapping[str, Any], where: str) -> S:
    """Return ``values`` as a section of type ``kind``.

    Raises:
        ValueError: One line that begins with ``where``.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise ValueError(f"{where}.{explain(kind, error)}") from None


def without(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return a copy of ``table`` without some keys."""
    return {key: value for key, value in table.items() if key not in keys}
