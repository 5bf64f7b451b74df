"""DVC's cache and remotes as stores of objects, each named by the md5 of its content."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from equipoise.errors import UserError

if TYPE_CHECKING:
    from dvc.repo import Repo

#: States of a file or object other than whole, which is empty.
MISSING = "missing"
DAMAGED = "damaged"

BLOCK = 1 << 20


def unreadable(error: OSError) -> str:
    """Return the state of a file that the system refuses to read."""
    return f"unreadable ({error.strerror or error})"


def digests(file: IO[bytes], *algorithms: str) -> list[str]:
    """Return hexadecimal digests of a stream, read once to its end."""
    hashes = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
    while block := file.read(BLOCK):
        for one in hashes:
            one.update(block)
    return [one.hexdigest() for one in hashes]


@dataclass(frozen=True)
class Store:
    """The cache or a remote, read through DVC's own file systems.

    Content alone counts: DVC's database of times and checksums is never asked, and nothing is
    removed (as DVC does with what it takes for damaged).
    """

    name: str
    """Of the remote; empty: the cache."""
    odb: Any
    """DVC's object database (``HashFileDB``)."""
    local: bool
    """On a disk of this machine (or mounted), not behind a network protocol."""
    workers: int | None = None
    """How many objects are read at once; None: one for each core."""

    @property
    def title(self) -> str:
        """For messages."""
        return f"remote {self.name!r}" if self.name else "the cache"

    def names(self) -> list[str]:
        """Return the names of all objects."""
        with _one_line(self.title):
            return sorted(self.odb.all())

    def location(self, name: str) -> str:
        """Return the path or URL of an object."""
        return str(self.odb.fs.unstrip_protocol(self.odb.oid_to_path(name)))

    def state(self, name: str) -> str:
        """Return what is wrong with an object, or nothing.

        Raises:
            UserError: The store cannot be reached.
        """
        try:
            with self._open(name) as file:
                (md5,) = digests(file, "md5")
        except FileNotFoundError:
            return MISSING
        except OSError as error:
            return unreadable(error)
        return "" if md5 == name.removesuffix(".dir") else DAMAGED

    def listing(self, name: str) -> dict[str, str]:
        """Return path -> md5 of the files that a ``.dir`` object lists; nothing if it is not whole.

        Raises:
            UserError: The store cannot be reached.
        """
        if self.state(name):
            return {}
        with self._open(name) as file:
            return {str(entry["relpath"]): str(entry["md5"]) for entry in json.load(file)}

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        path = self.odb.oid_to_path(name)
        # A disk that fails has failed for this file; a network that fails, for all.
        one_line = nullcontext() if self.local else _one_line(self.title)
        with one_line, self.odb.fs.open(path, "rb") as file:
            yield file


@contextmanager
def _one_line(title: str) -> Iterator[None]:
    """Turn whatever DVC and the libraries behind a remote raise into one line.

    A file that is not there stays FileNotFoundError.
    """
    try:
        yield
    except (FileNotFoundError, UserError):
        raise
    except Exception as error:  # no common base: boto, asyncssh, aiohttp and DVC have their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{title} cannot be read: {reason}") from None


def open_cache(repo: "Repo") -> Store:
    """Return the cache of this project."""
    return Store("", repo.cache.local, local=True)


def open_remote(repo: "Repo", name: str) -> Store:
    """Return a remote by name, or the default one if ``name`` is empty.

    Raises:
        UserError: No such remote, or the packages for its kind are not installed.
    """
    with _one_line(f"remote {name!r}" if name else "the default remote"):
        remote = repo.cloud.get_remote(name or None, "push")
        local = remote.fs.protocol == "local"
        return Store(remote.name, remote.odb, local, remote.fs.jobs)


def open_project() -> "Repo | None":
    """Return the DVC repository of the current folder, or None if there is none.

    Raises:
        UserError: dvc.yaml, dvc.lock or the configuration cannot be read.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    with _one_line("dvc.yaml or what belongs to it"):
        try:
            repo = Repo()
        except NotDvcRepoError:
            return None
        _ = repo.index  # reads dvc.yaml, dvc.lock and params.yaml
    return repo
