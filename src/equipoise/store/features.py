"""Read a feature store."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import UserError
from equipoise.modalities.packing import DamagedPictureError, Packed
from equipoise.store.packed import PackedArray, opened
from equipoise.store.seal import BrokenSealError, expect_sealed

SCHEMA_VERSION = 2
_COLUMNS = ("label", "sample_id", "group")
_SLAB_BYTES = 32 << 20


class FeatureStore:
    """One data set's features, read only: a context manager, rows in the order of the manifest.

    Attributes:
        path: The file.
        modalities: Names of the modalities it holds, sorted.
        tables: Modality to ``{kind, column, ...settings}``: how it was read and is stored.
        classes: Class names; a label is an index into it.
        labels: int64 (N,).
        sample_ids: N names, each once.
        groups: N names, empty where a sample has none.
        attributes: Root attributes: data set, settings (JSON) and hashes it was made from.
    """

    embedded: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        """Open a store.

        Raises:
            UserError: No such file, not a complete HDF5 file, another schema, a part missing.
        """
        import h5py

        self.path = Path(path)
        if not self.path.exists():
            raise UserError(f"{path}: no such file; run stage extract first")
        try:
            expect_sealed(self.path)
            self._file = h5py.File(self.path, "r")
        except (OSError, BrokenSealError) as error:
            raise UserError(f"{path}: not a complete HDF5 file ({error}); {_AGAIN}") from None
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        self.attributes: dict[str, Any] = dict(self._file.attrs)
        version = self.attributes.get("schema_version")
        if version != SCHEMA_VERSION:
            raise UserError(
                f"{self.path}: schema version {version}, this program reads {SCHEMA_VERSION}; "
                f"{_AGAIN}"
            )
        try:
            self.tables: dict[str, dict[str, Any]] = json.loads(self.attributes["modalities"])
            self.modalities = sorted(self.tables)
            self.classes: list[str] = json.loads(self.attributes["classes"])
        except (KeyError, ValueError, TypeError):
            raise UserError(f"{self.path}: classes or modalities unreadable; {_AGAIN}") from None
        for name in (*_COLUMNS, *self.modalities):
            if name not in self._file:
                raise UserError(f"{self.path}: {name!r} is missing; {_AGAIN}")
        self._arrays = {name: self._file[name] for name in _COLUMNS}
        for name in self.modalities:
            try:
                self._arrays[name] = opened(self._file, name)
            except (OSError, KeyError, ValueError) as error:
                raise UserError(f"{self.path}: {name!r} is damaged ({error}); {_AGAIN}") from None
        self.labels: NDArray[np.int64] = self._read("label", 0, None)
        self.sample_ids = [value.decode() for value in self._read("sample_id", 0, None)]
        self.groups = [value.decode() for value in self._read("group", 0, None)]
        for name in (*_COLUMNS, *self.modalities):
            if len(self._arrays[name]) != len(self.labels):
                raise UserError(f"{self.path}: {name!r} has another length; {_AGAIN}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.labels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def shape(self, modality: str) -> tuple[int, ...]:
        """Return the shape of one sample."""
        return tuple(self._arrays[modality].shape[1:])

    def rows(self, modality: str, start: int, stop: int) -> NDArray[Any]:
        """Read rows ``start`` to ``stop`` (exclusive) in one go: (stop - start, ...).

        Raises:
            UserError: The checksum of a row does not fit.
        """
        return self._read(modality, start, stop)

    def row(self, modality: str, index: int) -> NDArray[Any]:
        """Read one sample, of :meth:`shape`.

        Raises:
            UserError: Its checksum does not fit.
        """
        array: NDArray[Any] = self._read(modality, index, index + 1)[0]
        return array

    def packed(self, modality: str, start: int, stop: int) -> Packed | None:
        """Read rows ``start`` to ``stop`` (exclusive) as they are packed; None: they are not.

        Raises:
            UserError: The checksum of a row does not fit.
        """
        array = self._arrays[modality]
        if not isinstance(array, PackedArray):
            return None
        with self._one_line(modality, start, stop):
            return array.packed(start, stop)

    def nbytes(self, modality: str) -> int:
        """Return the bytes of all samples in the file."""
        return int(self._arrays[modality].nbytes)

    def _read(self, name: str, start: int, stop: int | None) -> NDArray[Any]:
        with self._one_line(name, start, stop):
            array: NDArray[Any] = self._arrays[name][start:stop]
        return array

    @contextlib.contextmanager
    def _one_line(self, name: str, start: int, stop: int | None) -> Iterator[None]:
        """Make errors of what reads some rows those of a user."""
        try:
            yield
        except DamagedPictureError as error:
            row = start + error.sample
            raise UserError(f"{self.path}: {name} row {row} is {error}; {_AGAIN}") from None
        except OSError as error:
            end = len(self._arrays[name]) if stop is None else stop
            raise UserError(
                f"{self.path}: {name} rows {start} to {end - 1} are damaged ({error}); {_AGAIN}"
            ) from None


_AGAIN = "delete it and run stage extract again"


def verify(path: Path) -> None:
    """Read everything once, so that every checksum is compared.

    Raises:
        UserError: As the reader says.
    """
    with FeatureStore(path) as store:
        for modality in store.modalities:
            itemsize = store.rows(modality, 0, 1).itemsize
            step = max(1, _SLAB_BYTES // (itemsize * int(np.prod(store.shape(modality)))))
            for start in range(0, len(store), step):
                store.rows(modality, start, min(start + step, len(store)))
