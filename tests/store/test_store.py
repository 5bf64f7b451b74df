import dataclasses
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest

from equipoise import files
from equipoise.errors import UserError
from equipoise.store import join as joining
from equipoise.store import shards
from equipoise.store.features import SCHEMA_VERSION, FeatureStore, verify
from equipoise.store.join import Plan, join
from equipoise.store.seal import seal
from equipoise.store.shards import Shard

SHAPES = {"video": ((2, 4, 4, 3), "uint8"), "audio": ((5, 3), "float16")}


def shard(rows, seed=0, reject=()):
    kept = np.array([row for row in range(rows) if row not in reject], np.int64)
    noise = np.random.default_rng(seed)
    arrays = {
        "video": noise.integers(0, 256, (len(kept), 2, 4, 4, 3), np.uint8),
        "audio": noise.standard_normal((len(kept), 5, 3)).astype(np.float16),
    }
    return Shard(kept, arrays, np.array(reject, np.int64), ["broken"] * len(reject))


def plan(count, classes=("a", "b")):
    return Plan(
        SHAPES,
        [row % 2 for row in range(count)],
        [f"sämple {row}" for row in range(count)],
        ["" if row % 3 else f"g{row}" for row in range(count)],
        {
            "schema_version": SCHEMA_VERSION,
            "classes": json.dumps(list(classes)),
            "modalities": json.dumps({name: {} for name in SHAPES}),
        },
    )


@pytest.fixture
def store(tmp_path):
    """Three shards of 4, 4 and 3 rows; row 1 of the second is rejected: 10 samples."""
    parts = [shard(4, 1), shard(4, 2, reject=(1,)), shard(3, 3)]
    paths = []
    for number, part in enumerate(parts):
        path = tmp_path / f"{number}.npz"
        shards.write(path, part)
        paths.append((path, len(part.kept) + len(part.rejected)))
    join(tmp_path / "features.h5", paths, plan(10))
    arrays = {m: np.concatenate([part.arrays[m] for part in parts]) for m in SHAPES}
    return tmp_path / "features.h5", arrays, paths


def test_shard_comes_back(tmp_path):
    path = tmp_path / "0.npz"
    written = shard(5, reject=(0, 3))
    shards.write(path, written)
    read = shards.read(path, 5, SHAPES)
    assert read.kept.tolist() == [1, 2, 4] and read.rejected.tolist() == [0, 3]
    assert read.reasons == ["broken", "broken"]
    assert all(np.array_equal(read.arrays[m], written.arrays[m]) for m in SHAPES)
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_shard_that_does_not_fit_is_made_again(tmp_path):
    path = tmp_path / "0.npz"
    assert shards.read(path, 5, SHAPES) is None
    shards.write(path, shard(5))
    good = path.read_bytes()
    assert shards.read(path, 6, SHAPES) is None
    assert shards.read(path, 5, {"video": SHAPES["video"]}) is None
    assert shards.read(path, 5, SHAPES | {"audio": ((5, 4), "float16")}) is None
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    for damaged in (bytes(flipped), good[: len(good) // 2], b"", b"no zip file at all" * 50):
        path.write_bytes(damaged)
        assert shards.read(path, 5, SHAPES) is None


def test_what_two_programs_decoded_is_not_mixed(tmp_path):
    paths = []
    for number, decoder in enumerate(["ffmpeg version 5", "ffmpeg version 9"]):
        paths.append((tmp_path / f"{number}.npz", 4))
        shards.write(paths[-1][0], dataclasses.replace(shard(4), decoder=decoder))
    with pytest.raises(UserError, match=r"0\.npz: decoded by ffmpeg version 5, but this run has"):
        shards.read(paths[0][0], 4, SHAPES, "ffmpeg version 9")
    mixed = plan(8)
    mixed.attributes["decoder"] = "ffmpeg version 5"
    with pytest.raises(UserError, match=r"1\.npz: decoded by ffmpeg version 9"):
        join(tmp_path / "features.h5", paths, mixed)
    assert not (tmp_path / "features.h5").exists()


def test_reader_gives_what_was_written(store):
    path, arrays, _ = store
    with FeatureStore(path) as read:
        assert read.modalities == ["audio", "video"] and read.classes == ["a", "b"]
        assert read.labels.tolist() == [0, 1] * 5 and read.labels.dtype == np.int64
        assert read.sample_ids[3] == "sämple 3" and len(read) == 10
        assert read.groups == ["g0", "", "", "g3", "", "", "g6", "", "", "g9"]
        for m, array in arrays.items():
            assert read.shape(m) == array.shape[1:] == SHAPES[m][0]
            assert np.array_equal(read.rows(m, 2, 9), array[2:9])
            assert np.array_equal(read.row(m, 7), array[7])
            assert read.row(m, 7).dtype == array.dtype


def test_layout_of_the_file(store):
    with h5py.File(store[0]) as file:
        assert file["video"].chunks == (1, 2, 4, 4, 3)
        assert all(file[name].fletcher32 for name in file)


def test_same_bytes_twice(store, tmp_path):
    path, _, paths = store
    join(tmp_path / "again.h5", paths, plan(10))
    assert files.sha256(path) == files.sha256(tmp_path / "again.h5")


def test_many_long_class_names(tmp_path):
    classes = [f"a class with a long name {number}" for number in range(5000)]
    shards.write(tmp_path / "0.npz", shard(2))
    join(tmp_path / "f.h5", [(tmp_path / "0.npz", 2)], plan(2, classes))
    with FeatureStore(tmp_path / "f.h5") as read:
        assert read.classes == classes


def test_flipped_bit_is_found_with_its_rows(store):
    path, arrays, _ = store
    data = bytearray(path.read_bytes())
    position = data.find(arrays["video"][6].tobytes())
    data[position + 5] ^= 4
    path.write_bytes(data)
    with FeatureStore(path) as read:
        read.rows("video", 0, 6)
        with pytest.raises(UserError, match="video rows 6 to 6 are damaged"):
            read.row("video", 6)
    with pytest.raises(UserError, match="damaged"):
        verify(path)


def test_unreadable_stores(store, tmp_path):
    path = store[0]
    data = path.read_bytes()
    with pytest.raises(UserError, match="run stage extract first"):
        FeatureStore(tmp_path / "none.h5")
    for damaged in (b"", b"<html>", data[: len(data) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="not a complete HDF5 file"):
            FeatureStore(path)
    path.write_bytes(data)
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 99
    seal(path)
    with pytest.raises(UserError, match="schema version 99"):
        FeatureStore(path)
    path.write_bytes(data)
    with h5py.File(path, "r+") as file:
        del file["audio"]
    seal(path)
    with pytest.raises(UserError, match="'audio' is missing"):
        FeatureStore(path)


def test_a_flip_anywhere_is_found_before_hdf5_reads_or_by_its_checksums(store):
    """Every 7th byte of the file, one bit: never another value, another error, or a hang."""
    path, arrays, _ = store
    data = path.read_bytes()
    chunks = 0
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"not a complete HDF5 file|are damaged") as caught:
            verify(path)
        chunks += "are damaged" in str(caught.value)
    size = sum(array.nbytes for array in arrays.values())
    assert size / 7 - 20 < chunks < len(data) / 7


def test_a_changed_attribute_is_found(store):
    path = store[0]
    with h5py.File(path, "r+") as file:
        file.attrs["dataset"] = "toe"
    with pytest.raises(UserError, match="not a complete HDF5 file"):
        FeatureStore(path)


def test_damaged_shard_stops_the_join(store, tmp_path):
    _, _, paths = store
    paths[1][0].write_bytes(b"")
    with pytest.raises(UserError, match=r"1\.npz: damaged"):
        join(tmp_path / "other.h5", paths, plan(10))
    assert not (tmp_path / "other.h5").exists()


LIMITED = """
import resource, sys
from pathlib import Path
from equipoise.errors import UserError
from equipoise.store import shards
from equipoise.store.join import join
sys.path.insert(0, {tests!r})
from test_store import plan, shard
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    {call}
except UserError as error:
    print("UserError", error)
"""


def limited(tmp_path, limit, call):
    """Run ``call`` where no file may grow beyond ``limit`` bytes, as on a full disk."""
    text = LIMITED.format(tests=str(Path(__file__).parent), limit=limit, call=call)
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("limit", [3000, 20000, 60000])
def test_full_disk_is_a_message_and_no_crash(tmp_path, limit):
    shards.write(tmp_path / "0.npz", shard(1000))
    done = limited(tmp_path, limit, "join(Path('f.h5'), [(Path('0.npz'), 1000)], plan(1000))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("UserError f.h5: ")
    assert "it needs 126000 bytes" in done.stdout  # 1000 * (2*4*4*3 + 5*3*2)
    assert names(tmp_path) == ["0.npz"]


def test_full_disk_while_a_shard_is_written(tmp_path):
    done = limited(tmp_path, 5000, "shards.write(Path('0.npz'), shard(1000))")
    assert done.returncode == 0, done.stderr
    assert "0.npz: cannot be written: File too large; it needs 126000 bytes" in done.stdout
    assert names(tmp_path) == []


def test_death_of_the_writing_process_is_a_message(tmp_path, monkeypatch):
    script = textwrap.dedent("""\
        #!/bin/sh
        kill -SEGV $$
    """)
    fake = tmp_path / "python"
    fake.write_text(script)
    fake.chmod(0o755)
    monkeypatch.setattr(joining.sys, "executable", str(fake))
    with pytest.raises(UserError, match=r"died .* 126000 bytes below"):
        join(tmp_path / "f.h5", [], plan(1000))
    assert not (tmp_path / "f.h5").exists()
