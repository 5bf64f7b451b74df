"""Arrays in files of other programs, and pictures in them."""

import csv
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from equipoise.media.errors import MediaError
from equipoise.modalities.arrays import arranged, load
from equipoise.modalities.base import reader

ARRAY = np.arange(24.0).reshape(2, 3, 4) / 7


def written(path, array=ARRAY, more=()):
    """Write ``array`` as variable ``x``, beside ``more``."""
    table = {"x": array, **{name: np.zeros(2) for name in more}}
    suffix = path.suffix
    if suffix == ".npy":
        np.save(path, array)
    elif suffix == ".npz":
        np.savez(path, **table)
    elif suffix == ".mat":
        savemat(path, table)
    else:
        with h5py.File(path, "w") as file:
            for name, values in table.items():
                file[name] = values
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat", ".h5", ".hdf5"])
def test_every_form_gives_the_same_array(tmp_path, suffix):
    path = written(tmp_path / f"a{suffix}")
    assert np.array_equal(load(path), ARRAY)
    if suffix != ".npy":
        several = written(tmp_path / f"b{suffix}", more=("y",))
        assert np.array_equal(load(several, "x"), ARRAY)
        with pytest.raises(MediaError, match=r"holds .*; say key: NAME"):
            load(several)
        with pytest.raises(MediaError, match="has no 'xx'; did you mean 'x'"):
            load(several, "xx")


def test_a_matlab_file_of_version_7_3_has_the_axes_that_matlab_shows(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["deep/x"] = ARRAY.T  # as MATLAB writes it
        file["#refs#/a"] = np.zeros(3)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + bytes([0, 2]) + b"IM")
    assert np.array_equal(load(path), ARRAY)
    assert np.array_equal(load(path, "deep/x"), ARRAY)


def test_tables(tmp_path):
    frame = pd.DataFrame({"x": [0.1, 1 / 3, 2.5], "who": ["a", "b", "c"], "n": [1, 2, 3]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "t.parquet")
    expected = frame[["n", "x"]].to_numpy()
    for suffix in ("csv", "tsv", "parquet"):
        path = tmp_path / f"t.{suffix}"
        assert np.array_equal(load(path, columns=("n", "x")), expected)
        with pytest.raises(MediaError, match="column 'who' is not of numbers; say columns"):
            load(path)
        with pytest.raises(MediaError, match="no column 'xx'; did you mean 'x'"):
            load(path, columns=("xx",))
    bare = tmp_path / "bare.csv"
    bare.write_text("1,2\n3,\n")
    assert np.array_equal(load(bare), [[1, 2], [3, np.nan]], equal_nan=True)
    bare.write_text("a,b\n1\n")
    with pytest.raises(MediaError, match="row 1 has 1 cells, the first one 2"):
        load(bare)


def test_decimal_commas(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\ufefftime;force\r\n0,5;-1,25e1\r\n1;\r\n")
    assert np.array_equal(load(path), [[0.5, -12.5], [1, np.nan]], equal_nan=True)
    path.write_text("0,5;1,25\n-2;,5\n")
    assert np.array_equal(load(path), [[0.5, 1.25], [-2, 0.5]])
    path.write_text("x;y,z\n1,2\n")  # a comma between names: semicolons are of a name
    assert np.array_equal(load(path, columns=("x;y", "z")), [[1, 2]])
    path.write_text("x;y\n1.234,5;1\n")
    with pytest.raises(MediaError, match="column 'x' is not of numbers"):
        load(path)


def test_broken_files_are_refused_in_one_line(tmp_path):
    for suffix in (".npy", ".npz", ".mat", ".h5", ".parquet"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(b"PK\x03\x04 not what it says" * 10)
        with pytest.raises(MediaError, match=f"a{suffix} cannot be read as {suffix}: ") as caught:
            load(path)
        assert "\n" not in str(caught.value)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(MediaError, match="cannot be read"):
        load(tmp_path / "objects.npy")
    np.save(tmp_path / "words.npy", np.array(["a"]))
    with pytest.raises(MediaError, match="values of type <U1 are no real numbers"):
        load(tmp_path / "words.npy")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat", ".h5", ".csv", ".parquet"])
def test_a_missing_file_is_named_once(suffix, tmp_path):
    with pytest.raises(MediaError) as caught:
        load(tmp_path / f"a{suffix}")
    assert str(caught.value) == f"a{suffix}: no such file"


def test_axes_are_put_in_order_and_never_squeezed():
    assert np.array_equal(arranged(ARRAY, "cct", "tc"), ARRAY.transpose(2, 0, 1).reshape(4, 6))
    assert np.array_equal(arranged(ARRAY, "htw", "thwc"), ARRAY.transpose(1, 0, 2)[..., None])
    row = ARRAY[:1, :, 0]
    assert arranged(row, "1c", "tc").shape == (1, 3)
    assert arranged(row, "tc", "tc").shape == (1, 3)
    assert arranged(row[0], "t", "tc").shape == (3, 1)
    with pytest.raises(MediaError, match=r"shape \(1, 3\) has 2 axes, but axes: 'c' names 1"):
        arranged(row, "c", "tc")
    with pytest.raises(MediaError, match="says 1 of an axis of length 3"):
        arranged(row, "c1", "tc")


def frames(**settings):
    return reader("depth", "frames", {"pick": {"even": 2}, "size": [8, 10]} | settings)


def test_frames_of_an_array_are_picked_and_scaled(tmp_path):
    depth = np.zeros((16, 20, 5), np.uint16)
    depth[:] = np.arange(5) * 10_000
    depth[:8, :, 3] += 2
    path = written(tmp_path / "d.mat", depth)
    read = frames(channels=1, bits=16, axes="hwt", key="x")
    assert read.want(path) is None
    reading = read.read(path)
    assert reading.array.dtype == np.uint16
    assert reading.array.shape == read.stored().shape == (2, 8, 10, 1)
    assert reading.array[0].tolist() == np.full((8, 10, 1), 10_000).tolist()
    assert reading.array[1, :3].tolist() == np.full((3, 10, 1), 30_002).tolist()
    first = frames(channels=1, bits=16, axes="hwt", pick={"first": 8}).read(path)
    assert first.array[:, 0, 0, 0].tolist() == [0, 10000, 20000, 30002, 40000, 40000, 40000, 40000]
    assert first.facts == {
        **{"repeated": pytest.approx(3 / 8), "narrowed": 0.0},
        **{"cropped": 0.0, "unseen": 0.0},
    }
    every = {"pick": {"every": 0.5, "count": 3}, "axes": "hwt", "channels": 1, "bits": 16}
    assert frames(rate=4.0, **every).read(path).array[:, 7, 0, 0].tolist() == [0, 20000, 40000]
    with pytest.raises(MediaError, match="needs rate"):
        frames(**every).read(path)


def test_pictures_of_an_array_that_do_not_fit_are_refused(tmp_path):
    path = written(tmp_path / "a.npy", np.full((3, 8, 8, 3), 300, np.int64))
    with pytest.raises(MediaError, match="bits: 8 are whole numbers from 0 to 255"):
        frames().read(path)
    with pytest.raises(MediaError, match="pictures of 3 channels, but channels: 1"):
        frames(channels=1).read(path)
    empty = written(tmp_path / "b.npy", np.zeros((0, 8, 8, 3), np.uint8))
    with pytest.raises(MediaError, match="holds no picture"):
        frames().read(empty)


def test_a_cropped_fit_keeps_the_shape_of_things(tmp_path):
    picture = np.zeros((8, 24, 3), np.uint8)
    picture[:, 8:16] = 200
    path = written(tmp_path / "a.npy", picture)
    image = reader("i", "image", {"size": 8, "fit": "crop"})
    assert (image.read(path).array == 200).all()
    assert np.array_equal(reader("i", "image", {"size": [8, 24]}).read(path).array, picture)


@pytest.mark.parametrize("suffix", ["npz"])
def test_a_zip_without_arrays_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(MediaError, match="holds nothing"):
        load(path)


def test_numbers_of_a_table_are_exact(tmp_path):
    numbers = np.random.default_rng(0).standard_normal(500)
    with (tmp_path / "n.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["x"], *[[repr(float(n))] for n in numbers]])
    assert np.array_equal(load(tmp_path / "n.csv")[:, 0], numbers)
