"""Atomic writes and checksums: the only way a final file gets its name."""

import contextlib
import csv
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import StorageError, UnreadableError, UserError, one_line

_RESTORE = "restore it, or delete it and run its stage again"

#: Bytes that are read at a time.
_BLOCK = 1 << 16


@contextlib.contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``final``; rename it to ``final`` when the block succeeds.

    The temporary file keeps the suffix of ``final`` (some writers look at it) and is removed when
    the block raises. A killed process leaves ``.<name>.*.tmp<suffix>`` behind, never ``final``.
    """
    final = Path(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{final.stem}.", suffix=f".tmp{final.suffix}", dir=final.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        with writing(final, temporary):
            yield temporary
            _sync(temporary)
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # mkstemp makes 0600
            temporary.replace(final)
    finally:
        with contextlib.suppress(OSError):  # a disk that fails: what is wrong is said already
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(final: Path, temporary: Path) -> Iterator[None]:
    """Let an error of the block say which file could not be written.

    A full disk is met by whoever writes: Python does not say in which file, and the libraries for
    weights and pictures have errors of their own.

    Args:
        final: The file to be.
        temporary: Where it is written.

    Raises:
        StorageError: It could not be written; one line.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        name = error.filename
        if name is not None and not Path(os.fsdecode(name)).is_relative_to(temporary):
            raise  # of another file, which it names
        told = OSError(error.errno, error.strerror or str(error), str(final))
        raise StorageError(one_line(told) or str(error), error) from error
    except RuntimeError as error:
        if "PytorchStreamWriter" not in str(error) and "file write failed" not in str(error):
            raise
        raise StorageError(_not_written(final, error), error) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "safetensors":
            raise
        raise StorageError(_not_written(final, error), error) from error


def _not_written(final: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    return f"{final}: cannot be written ({reason}); make room on that disk, then run it again"


@contextlib.contextmanager
def atomic_directory(final: Path) -> Iterator[Path]:
    """Yield a temporary directory beside ``final``; on success it replaces ``final``."""
    final = Path(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent))
    temporary.chmod(0o755)
    try:
        with writing(final, temporary):
            yield temporary
            if final.exists():
                shutil.rmtree(final)
            temporary.replace(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def alone(lock: Path, otherwise: str, wait: bool = False, needed: bool = True) -> Iterator[None]:
    """Let one process at a time into the block; the system frees ``lock`` when it is killed.

    Args:
        lock: A file that is made for it.
        otherwise: What another process does in there.
        wait: Wait for the other one.
        needed: False: where the file system has no locks, go on without.

    Raises:
        UserError: Another process is inside and ``wait`` is false; the file cannot be made, or
            its file system has no locks.
    """
    with contextlib.ExitStack() as stack:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(lock.open("w"))
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise UserError(f"{lock.parent}: {otherwise}; wait for it or stop it") from error
        except OSError as error:
            if needed or error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise UserError(f"{lock}: cannot be locked ({error.strerror})") from error
        yield


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def link_or_copy(path: Path, final: Path) -> None:
    """Give a file another name, without its bytes a second time where the disk can do that."""
    if final.exists() and final.samefile(path):
        return
    with atomic_path(final) as temporary:
        temporary.unlink()
        try:
            os.link(path, temporary)
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(path, temporary)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON with sorted keys, atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def regular(path: Path) -> Path:
    """Return a path that is a file or nothing: a pipe would be waited for, a device has no end.

    Raises:
        UnreadableError: It is something else.
    """
    if path.exists() and not path.is_file():
        raise UnreadableError(f"{path}: a folder, named pipe or device, not a file; name a file")
    return path


@contextlib.contextmanager
def reading(path: Path, otherwise: str = _RESTORE) -> Iterator[None]:
    """Let an error of the block say which table could not be read.

    Args:
        path: A file of text.
        otherwise: What to do then, for the message.

    Raises:
        UnreadableError: It is no file, not UTF-8, not CSV, or a column is not there.
    """
    regular(Path(path))
    try:
        yield
    except UnicodeError as error:
        raise UnreadableError(f"{path}: not UTF-8 text ({error}); {otherwise}") from None
    except csv.Error as error:
        raise UnreadableError(f"{path}: not a table ({error}); {otherwise}") from None
    except KeyError as error:
        raise UnreadableError(f"{path}: has no column {error}; {otherwise}") from None


class _Table(dict[str, Any]):
    """A table of a JSON file: a key that is not there is a fault of the file, which it names."""

    where: Path
    otherwise: str

    def __missing__(self, key: str) -> Any:
        raise UnreadableError(f"{self.where}: has no {key!r}; {self.otherwise}")


def read_json(path: Path, otherwise: str, kind: type = dict) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        otherwise: What to do where it cannot be read, for the message.
        kind: What it must hold: a table or a list.

    Returns:
        Its tables raise UnreadableError for a key that is not there.

    Raises:
        UserError: No such file, not JSON, or JSON of something else.
    """

    def table(pairs: dict[str, Any]) -> _Table:
        found = _Table(pairs)
        found.where, found.otherwise = path, otherwise
        return found

    try:
        value = json.loads(regular(path).read_text(encoding="utf-8"), object_hook=table)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {otherwise}") from None
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableError(f"{path}: not JSON ({reason}); {otherwise}") from None
    if not isinstance(value, kind):
        raise UnreadableError(f"{path}: holds no {kind.__name__}; {otherwise}")
    return value


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``rows`` under ``header`` as CSV, atomically; floats keep every digit."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(header), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_pairs(path: Path, key: str, value: str) -> dict[str, str]:
    """Read two columns of a table that :func:`write_csv` wrote: one to the other, as text."""
    with reading(path), path.open(newline="", encoding="utf-8") as file:
        return {row[key]: row[value] for row in csv.DictReader(file)}


def sha256(path: Path | str) -> str:
    """Return the hexadecimal sha256 of a file."""
    found = hashlib.sha256()
    # Of a million small files, file objects and the buffer of hashlib.file_digest cost the most.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while block := os.read(file, _BLOCK):
            found.update(block)
    except OSError as error:
        error.filename = str(path)  # os.read does not say
        raise
    finally:
        os.close(file)
    return found.hexdigest()


def read_sha256(path: Path) -> dict[str, str]:
    """Read a list in the format of sha256sum: path (relative to the list) to checksum."""
    return dict(sha256_lines(path))


def sha256_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield path and checksum of each line of such a list, which may be long."""
    with reading(path), Path(path).open(encoding="utf-8") as file:
        for line in file:
            checksum, _, name = line.rstrip("\n").partition("  ")
            yield name, checksum


def digest(value: Any) -> str:
    """Return a short, stable hash of a JSON-like value (keys sorted): 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
