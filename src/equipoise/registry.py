"""What exists: data sets, kinds of modalities, encoders and methods are found by their folder.

Nothing heavy is imported here: parameters are checked before the graph is built.
"""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from equipoise.errors import nearest
from equipoise.section import S, Section, explain

if TYPE_CHECKING:
    from equipoise.params import Params

LAYOUTS = {
    "pictures": "(frames, channels, height, width)",
    "spectrogram": "(frequency, time)",
    "waveform": "(samples,)",
    "sequence": "(time, channels)",
    "vector": "(values,)",
    "tokens": "(2, length): token ids, and 1 where a token is (0: padding)",
}
"""What an encoder may be given, and the axes of one sample."""


LeftOut = dict[tuple[str, str], tuple[float, float]]
"""What is left out (``area``, ``time``) and when (``training``, ``evaluation``) to the share of it,
on average and at most."""


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
    encoder: Callable[[Any], str]
    """Settings to the encoder where ``datasets.<name>.encoders`` names none."""
    suffixes: tuple[str, ...] = ()
    """Suffixes of the files it reads, lower case."""
    inline: Callable[[Any], bool] = lambda settings: False
    """Settings to whether the column of the manifest holds the sample itself, not a path."""
    words: tuple[str, ...] = ()
    """Names that columns of this kind often have."""
    propose: str = ""
    """``module:function``: some sources (all paths, or all cells) to settings to start from, empty
    where they are not of this kind; for ``equipoise check``."""
    check: Callable[[Any, Any], None] | None = None
    """Called with settings and augmentation; raises ValueError where they contradict each other."""
    left_out: Callable[[Any, Any], LeftOut] = lambda settings, augment: {}
    """Settings and augmentation to what of every stored sample no encoder is given."""


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


GRADES = {
    "baseline": "what methods are compared with",
    "stable": "compared with the authors' code on the same numbers",
    "partial": "a part is second-hand, or ours where nothing is published",
    "experimental": "read from an abstract, or paper and code lie far apart",
    "ours": "of no paper",
}
"""Grade of a method to its meaning."""


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
    needs_teacher: bool = False
    """It reads a trained run of the grid (``methods.teacher``), so it can only stand in
    ``methods.with_teacher``, where no other method may."""
    state: str = "none"
    """Extra state kept in a checkpoint, in words."""
    grade: str = ""
    """How sure it is that this is the published method: a key of :data:`GRADES`."""
    optimizer: str = ""
    """The optimiser that it was proposed for, and where that was read."""
    assumes: tuple[str, ...] = ()
    """What must hold for it to do what it is for, beyond the number of modalities."""
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
def kinds() -> Mapping[str, KindInfo]:
    """Every kind of modality: a sub-package of ``equipoise.modalities``."""
    return _Packages("equipoise.modalities", "KIND")


@cache
def encoders() -> Mapping[str, EncoderInfo]:
    """Every encoder: an entry of ``ENCODERS`` in a sub-package of ``equipoise.models.encoders``."""
    packages = _Packages[Mapping[str, EncoderInfo]]("equipoise.models.encoders", "ENCODERS")
    return {name: info for entries in packages.values() for name, info in entries.items()}


@cache
def methods() -> Mapping[str, MethodInfo]:
    """Every method: a sub-package of ``equipoise.methods``."""
    return _Packages("equipoise.methods", "METHOD")


T = TypeVar("T")


class _Packages(Mapping[str, T]):
    """Sub-packages by name, to what each says of itself; one is imported when it is asked for.

    There are some forty methods, and a job needs one of them.
    """

    def __init__(self, package: str, attribute: str) -> None:
        root = importlib.import_module(package)
        self._names = sorted(m.name for m in pkgutil.iter_modules(root.__path__) if m.ispkg)
        self._package, self._attribute = package, attribute

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise KeyError(name)
        entry: T = getattr(importlib.import_module(f"{self._package}.{name}"), self._attribute)
        return entry

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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
            "stands_in": " or ".join(tables(info)),
            "grade": info.grade or "not graded",
            "optimizer": info.optimizer or "not established",
            "assumes": list(info.assumes),
            "state": info.state,
            "cost": costs().get(name, {}),
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


def tables(info: MethodInfo) -> tuple[str, ...]:
    """Return the tables of ``methods`` in params.yaml that a method may stand in."""
    if info.needs_teacher:
        return ("with_teacher",)
    return ("from_warmup",) if info.needs_warmup else ("from_scratch", "from_warmup")


@cache
def costs() -> dict[str, dict[str, dict[str, float]]]:
    """Return measured cost: method to variant to data set to a multiple of joint's CPU time.

    What was not measured is missing; ``costs.toml`` says how it was.
    """
    text = files("equipoise.methods").joinpath("costs.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, float]]] = {}
    for dataset, rows in tomllib.loads(text).items():
        for key, multiple in rows.items():
            name, variant, _ = method_of(key)
            found.setdefault(name, {}).setdefault(variant, {})[dataset] = multiple
    return found


def _times(number: int) -> str:
    return f"{number} modality" if number == 1 else f"{number} modalities"


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
    if start not in (allowed := tables(info)):
        reads = "the modality gaps" if info.needs_warmup else "no trained run"
        reads = "a trained run" if info.needs_teacher else reads
        raise ValueError(f"{where}: {name!r} reads {reads}; move it to {allowed[0]}")
    checked = check(info.options, options, where)
    if info.check is not None and params is not None:
        try:
            info.check(variant, checked, params)
        except ValueError as error:
            raise ValueError(f"{where}.{error}") from None


def expect_modalities(key: str, modalities: Sequence[str], where: str) -> None:
    """Check that a method can work with so many modalities.

    Raises:
        ValueError: One line that begins with ``where``.
    """
    name, _, _ = method_of(key)
    fewest, most = methods()[name].modalities
    if len(modalities) < fewest or (most is not None and len(modalities) > most):
        raise ValueError(
            f"{where} has {_times(len(modalities))} ({', '.join(modalities) or 'none'}), "
            f"{name!r} works with {_count(fewest, most)} modalities; leave the method out"
        )


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
    except OverflowError as error:  # of numbers that are finite alone, as 1e308 s at 44100 Hz
        raise ValueError(f"{where}: its numbers are too large ({error}); lower them") from None


def without(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return a copy of ``table`` without some keys."""
    return {key: value for key, value in table.items() if key not in keys}


def is_inline(table: Mapping[str, Any]) -> bool:
    """Say whether the column of a modality ``{kind, column, ...settings}`` holds the sample itself.

    Raises:
        ValueError: Unknown kind or setting; one line.
    """
    info = kinds()[known_kind(table["kind"], "modality")]
    return info.inline(check(info.settings, without(table, "kind", "column"), "modality"))
