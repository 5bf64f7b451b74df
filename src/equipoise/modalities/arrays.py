"""Arrays in files of other programs: .npy, .npz, .mat, .h5, .csv, .tsv, .parquet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import nearest
from equipoise.media.errors import MediaError
from equipoise.modalities.suffixes import ARRAYS, TABLES


def arranged(array: NDArray[Any], axes: str, order: str) -> NDArray[Any]:
    """Return ``array`` with its axes in ``order``; those it does not have get length 1.

    Axes of one letter become one, in the order in which they stand. Nothing is squeezed: an axis
    of length 1 goes only where ``axes`` says 1.

    Raises:
        MediaError: Another number of axes, or one named 1 that is longer.
    """
    if array.ndim != len(axes):
        raise MediaError(
            f"an array of shape {array.shape} has {array.ndim} axes, but axes: {axes!r} names "
            f"{len(axes)}"
        )
    for letter, length in zip(axes, array.shape, strict=True):
        if letter == "1" and length != 1:
            raise MediaError(f"axes: {axes!r} says 1 of an axis of length {length}")
    places = [[i for i, letter in enumerate(axes) if letter == wanted] for wanted in order]
    lengths = [int(np.prod([array.shape[i] for i in place], dtype=int)) for place in places]
    ones = [i for i, letter in enumerate(axes) if letter == "1"]
    moved = array.transpose([i for place in places for i in place] + ones)
    return moved.reshape(lengths)


def load(path: Path, key: str = "", columns: tuple[str, ...] = ()) -> NDArray[Any]:
    """Read one array of numbers; its axes as the program that wrote it shows them.

    Args:
        path: The file; its suffix says of what form it is.
        key: Name of the array (a path of groups in HDF5); empty: there must be one only.
        columns: Of a table: the columns; empty: all.

    Raises:
        MediaError: Not readable, no such array or column, or not of numbers.
    """
    suffix = path.suffix.lower()
    if not path.exists():
        raise MediaError(f"{path.name}: no such file")
    try:
        array = _table(path, columns) if suffix in TABLES else _array(path, suffix, key)
    except MediaError:
        raise
    except Exception as error:  # the parsers of broken files raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MediaError(
            f"{path.name} cannot be read as {suffix or 'an array'}: {reason}"
        ) from None
    if array.dtype.kind not in "biuf":
        raise MediaError(f"{path.name}: values of type {array.dtype} are no real numbers")
    return np.asarray(array, dtype=np.uint8) if array.dtype.kind == "b" else array


def _array(path: Path, suffix: str, key: str) -> NDArray[Any]:
    if suffix == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file[_chosen(path, key, file.files)])
    if suffix == ".mat":
        return _mat(path, key)
    if suffix in ARRAYS:
        return _hdf5(path, key)
    raise ValueError(f"of {', '.join((*ARRAYS, *TABLES))} it is none")


def _mat(path: Path, key: str) -> NDArray[Any]:
    """Read a MATLAB file: up to version 7.2 by SciPy; 7.3 is HDF5 with the axes reversed."""
    from scipy.io import loadmat, whosmat

    try:
        names = [name for name, _, _ in whosmat(str(path))]
    except NotImplementedError:
        return _hdf5(path, key).T
    name = _chosen(path, key, names)
    return np.asarray(loadmat(str(path), variable_names=[name])[name])


def _hdf5(path: Path, key: str) -> NDArray[Any]:
    import h5py

    names: list[str] = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
        own = [name for name in names if not name.startswith("#")]  # MATLAB's own begin with #
        return np.asarray(file[_chosen(path, key.strip("/"), own)][()])


def _chosen(path: Path, key: str, names: list[str]) -> str:
    if not key and len(names) == 1:
        return names[0]
    if not key:
        raise MediaError(f"{path.name} holds {', '.join(names) or 'nothing'}; say key: NAME")
    if key not in names:
        raise MediaError(f"{path.name} has no {key!r}{nearest(key, names)}")
    return key


def _table(path: Path, columns: tuple[str, ...]) -> NDArray[Any]:
    if path.suffix.lower() == ".parquet":
        from pyarrow import parquet

        table = parquet.read_table(path)
        names = list(table.column_names)
        found = {name: np.asarray(table[name].to_numpy()) for name in names}
    else:
        names, found = _text_table(path)
    for column in columns:
        if column not in names:
            raise MediaError(f"{path.name} has no column {column!r}{nearest(column, names)}")
    picked = [found[name] for name in columns or names]
    for name, values in zip(columns or names, picked, strict=True):
        if values.dtype.kind not in "biuf":
            raise MediaError(f"{path.name}: column {name!r} is not of numbers; say columns: [...]")
    return np.stack(picked, axis=1)


def _text_table(path: Path) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Read a table; the first row is its header, unless of numbers; an empty cell is NaN.

    A .csv with semicolons is split at them, and its decimal sign is the comma, as spreadsheets
    write it where a comma stands in numbers.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        semicolons = path.suffix.lower() == ".csv" and _semicolons(file.readline())
        file.seek(0)
        mark = ";" if semicolons else "\t" if path.suffix.lower() == ".tsv" else ","
        rows = [row for row in csv.reader(file, delimiter=mark) if row]
    if semicolons:
        rows = [[_with_point(cell) for cell in row] for row in rows]
    if not rows:
        raise ValueError("it is empty")
    header = [cell.strip() for cell in rows[0]]
    if all(_number(cell) is not None for cell in header):
        header = [str(index) for index in range(len(rows[0]))]
    else:
        rows = rows[1:]
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells, the first one {len(header)}")
    return header, {name: _column([row[i] for row in rows]) for i, name in enumerate(header)}


def _semicolons(first: str) -> bool:
    """Say by the first row whether semicolons stand between cells: commas are in numbers alone."""
    cells = first.strip().split(";")
    numbers = all(_number(_with_point(cell)) is not None for cell in cells)
    return len(cells) > 1 and ("," not in first or numbers)


def _with_point(cell: str) -> str:
    """Return a number with a decimal comma as one with a point, anything else as it is."""
    pointed = cell.replace(",", ".", 1)
    return cell if _number(pointed) is None else pointed


def _column(cells: list[str]) -> NDArray[Any]:
    numbers = [_number(cell) for cell in cells]
    if any(number is None for number in numbers):
        return np.array(cells)
    return np.array(numbers, dtype=np.float64)


def _number(cell: str) -> float | None:
    """Return the number in a cell; NaN for none, None for words."""
    try:
        return float(cell) if cell.strip() else float("nan")
    except ValueError:
        return None
