"""The registry of everything that is downloaded: ``sources.toml``, typed and checked."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from equipoise.errors import nearest
from equipoise.section import Section

Urls = Annotated[list[str], Field(min_length=1)]


class FileSource(Section):
    """One file, at several places, known by its content."""

    urls: Urls
    """Where it is, best first."""
    size: Annotated[int, Field(ge=1)]
    """Bytes."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: str
    checked: str = ""
    """Day on which size and sha256 were compared with the file; empty: not noted."""


class LooseSource(FileSource):
    """A file that is not known as well: pretrained weights of others, archives on Google Drive."""

    size: Annotated[int, Field(ge=0)] = 0
    """Bytes; 0: what the place says that has it."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{8,64})?$")] = ""
    """All of it, its beginning, or nothing."""


class RepositorySource(Section):
    """One tag or commit of a git repository, known by its commit."""

    urls: Urls
    """Remotes, best first."""
    tag: str = ""
    """Empty: the commit is asked for by its name, which GitHub and GitLab allow."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    """A git commit is a checksum of every file below it."""
    licence: str
    checked: str = ""
    """Day on which the commit was looked at; empty: not noted."""


class StreamSource(Section):
    """Archives that are read without being kept; their owner publishes neither size nor sha256."""

    urls: Urls
    """Of the archive, or of a text that names archives; the same at each of them, best first. Of
    archives: each is another one."""
    holds: Literal["archive", "archives", "addresses"]
    """What is there: an archive (tar, tar.gz), or several, or a text with an address of one in each
    line."""
    licence: str
    checked: str = ""
    """Day on which the addresses were looked up at their owner's; empty: not noted."""


Source = FileSource | RepositorySource


@cache
def sources() -> dict[str, Source | StreamSource]:
    """Read the registry.

    Raises:
        pydantic.ValidationError: An entry is neither a file nor a repository.
    """
    table = tomllib.loads(Path(__file__).with_name("sources.toml").read_text(encoding="utf-8"))
    entry = Source | LooseSource | StreamSource
    return TypeAdapter(dict[str, entry]).validate_python(table)


def source(name: str) -> Source:
    """Return one entry of the registry: a file or a repository.

    Raises:
        ValueError: There is none of that name; the nearest one is named.
    """
    if isinstance(found := _entry(name), StreamSource):
        raise ValueError(f"source {name!r} in sources.toml is read as a stream, never kept")
    return found


def stream(name: str) -> StreamSource:
    """Return one entry of the registry: archives that are read as a stream.

    Raises:
        ValueError: There is none of that name; the nearest one is named.
    """
    if not isinstance(found := _entry(name), StreamSource):
        raise ValueError(f"source {name!r} in sources.toml is no archive that is streamed")
    return found


def _entry(name: str) -> Source | StreamSource:
    if name not in sources():
        raise ValueError(f"no source {name!r} in sources.toml{nearest(name, sources())}")
    return sources()[name]
