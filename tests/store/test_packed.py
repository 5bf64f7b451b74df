"""Samples stored as JPEG: what is read back, how far it is from the picture, damage."""

import io
import json

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image

from equipoise import files, registry
from equipoise.errors import UserError
from equipoise.modalities.packing import Jpeg, Packed, joined, unpack
from equipoise.store import shards
from equipoise.store.features import SCHEMA_VERSION, FeatureStore, verify
from equipoise.store.join import PACKED_CHUNK, Plan, join
from equipoise.store.seal import seal
from equipoise.store.shards import Shard

SHAPE = (2, 40, 56, 3)
SHAPES = {"video": (SHAPE, "jpeg"), "audio": ((5,), "float16")}
ROWS = (4, 0, 3, 2)
COUNT = sum(ROWS)


def soft(count, shape=SHAPE, seed=0):
    """Samples without sharp edges, each another one: scaled up from a few random colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, shape[0], 5, 7, 3), np.uint8)
    size = shape[2:0:-1]
    pictures = [
        [cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in some] for some in coarse
    ]
    return np.array(pictures, np.uint8).reshape(count, *shape[:3], 3)[..., : shape[3]]


SAMPLES = soft(COUNT)


def shard(start, stop, quality=90):
    packed = joined([Jpeg(quality).pack(one) for one in SAMPLES[start:stop]], SHAPE)
    audio = np.arange(5 * start, 5 * stop).reshape(-1, 5).astype(np.float16)
    none = np.zeros(0, np.int64)
    return Shard(np.arange(stop - start), {"audio": audio}, none, [], "", {}, {"video": packed})


def plan():
    attributes = {
        "schema_version": SCHEMA_VERSION,
        "classes": '["a"]',
        "modalities": json.dumps({name: {} for name in SHAPES}),
    }
    names = [f"s{n}" for n in range(COUNT)]
    return Plan(SHAPES, [0] * COUNT, names, [""] * COUNT, attributes)


def written(folder, name="features.h5", rows=ROWS):
    """Write a store from shards of so many rows."""
    parts, start = [], 0
    for count in rows:
        path = folder / f"{name}{start}-{count}.npz"
        shards.write(path, shard(start, start + count))
        parts.append((path, count))
        start += count
    join(folder / name, parts, plan())
    return folder / name


def decoded(quality=90):
    """What libjpeg makes of each sample, by Pillow, which is not what the store decodes by."""
    found = []
    for sample in SAMPLES:
        one, start = Jpeg(quality).pack(sample), 0
        for length in one.lengths[0].tolist():
            path = one.data[start : start + length].tobytes()
            found.append(np.asarray(Image.open(io.BytesIO(path))))
            start += length
    return np.array(found).reshape(SAMPLES.shape)


def test_every_row_and_slab_is_what_another_decoder_makes_of_it(tmp_path):
    path, expected = written(tmp_path), decoded()
    with FeatureStore(path) as store:
        assert store.shape("video") == SHAPE and len(store) == COUNT
        assert store.rows("video", 0, COUNT).dtype == np.uint8
        for start in range(COUNT):
            assert np.array_equal(store.row("video", start), expected[start])
            for stop in range(start, COUNT + 1):
                assert np.array_equal(store.rows("video", start, stop), expected[start:stop])
        assert store.row("audio", 7).tolist() == [35, 36, 37, 38, 39]
    verify(path)
    assert path.stat().st_size < PACKED_CHUNK * 2 < SAMPLES.nbytes * 2


def test_same_bytes_twice(tmp_path):
    for rows in (ROWS, (9,)):
        first, again = (written(tmp_path, name, rows) for name in ("one.h5", "two.h5"))
        assert files.sha256(first) == files.sha256(again)


def test_a_shard_comes_back_and_one_that_does_not_fit_is_made_again(tmp_path):
    path, whole = tmp_path / "0.npz", shard(0, 4)
    shards.write(path, whole)
    back = shards.read(path, 4, SHAPES).packed["video"]
    assert np.array_equal(back.data, whole.packed["video"].data)
    assert np.array_equal(back.lengths, whole.packed["video"].lengths)
    assert shards.read(path, 4, SHAPES | {"video": ((3, *SHAPE[1:]), "jpeg")}) is None
    assert shards.read(path, 4, SHAPES | {"video": (SHAPE, "uint8")}) is None
    whole.packed["video"].lengths[1, 1] -= 1
    shards.write(path, whole)
    assert shards.read(path, 4, SHAPES) is None


@pytest.mark.parametrize("quality", [75, 85, 95, 100])
def test_a_grey_picture_loses_what_its_quantisation_allows(quality):
    """The transform is orthonormal: a coefficient is off by half a step at most, then rounding."""
    values = np.random.default_rng(1).integers(60, 196, (1, 64, 64, 1), np.uint8)
    packed = Jpeg(quality).pack(values)
    file = io.BytesIO(packed.data.tobytes())
    steps = np.array(Image.open(file).quantization[0], float)
    bound = np.sqrt(np.mean((steps / 2) ** 2)) + 0.5 + 0.1  # 0.1: the transform in whole numbers
    error = unpack(packed, values.shape[0:4])[0].astype(float) - values
    assert np.sqrt((error**2).mean()) <= bound
    assert quality > 99 or np.abs(error).max() > 0


def test_a_flat_colour_is_off_by_three_levels_at_most():
    """At quality 95 the mean of a block has steps of 2 / 8: brightness and the two differences of
    colour are off by 1/8 and twice half a rounding, blue by 1.772 of that more, and half a level.
    """
    colours = np.random.default_rng(2).integers(30, 226, (80, 1, 1, 1, 3), np.uint8)
    samples = np.broadcast_to(colours, (80, 1, 16, 16, 3)).astype(np.uint8)
    packed = joined([Jpeg(95).pack(one) for one in samples], (1, 16, 16, 3))
    error = np.abs(unpack(packed, (1, 16, 16, 3)).astype(int) - samples)
    assert 0 < error.max() <= (1 + 1.772) * (1 / 8 + 1) + 0.5


def test_no_sample_is_no_sample():
    empty = joined([], SHAPE)
    assert unpack(empty, SHAPE).shape == (0, *SHAPE)


def rewritten(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    seal(path)


def test_a_damaged_picture_is_one_line_with_file_and_row(tmp_path):
    """Its bytes have a right checksum: they were wrong when they were written."""
    path = written(tmp_path)
    with h5py.File(path) as file:
        starts = np.cumsum([0, *file["video.lengths"][:].ravel()])

    def damage(file):
        file["video"][starts[9] : starts[9] + 4] = 0  # second picture of row 4

    rewritten(path, damage)
    with FeatureStore(path) as store:
        store.rows("video", 0, 4)
        for start, stop in ((4, 5), (0, 9), (3, 6)):
            with pytest.raises(UserError) as caught:
                store.rows("video", start, stop)
            assert str(caught.value) == (
                f"{path}: video row 4 is no readable JPEG; delete it and run stage extract again"
            )


@pytest.mark.parametrize("what", ["short", "other size"])
def test_what_is_no_whole_picture_of_the_size_is_damaged(what):
    sample = Jpeg(90).pack(SAMPLES[0])
    lengths = sample.lengths.copy()
    if what == "short":
        lengths[0, 0] //= 2
        with pytest.raises(ValueError, match="no readable JPEG"):
            unpack(Packed(sample.data, lengths), SHAPE)
    else:
        with pytest.raises(ValueError, match="a JPEG of 40 x 56 pixels"):
            unpack(sample, (2, 40, 48, 3))


def test_a_flipped_bit_is_found(tmp_path):
    path = written(tmp_path)
    data = path.read_bytes()
    with h5py.File(path) as file:
        body = file["video"][:].tobytes()
        lengths = file["video.lengths"][:].tobytes()
    for where in (data.find(body) + len(body) // 2, data.find(lengths) + 9):
        flipped = bytearray(data)
        flipped[where] ^= 4
        path.write_bytes(flipped)
        with pytest.raises(UserError, match=r"features\.h5: .*video.* damaged"):
            verify(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda file: file["video"].attrs.__setitem__("packing", "webp"), "packed as 'webp'"),
        (lambda file: file["video"].resize(99, axis=0), "other bytes than its lengths say"),
        (lambda file: file.__delitem__("video.lengths"), "lengths"),
    ],
)
def test_a_store_that_does_not_fit_together_is_refused(tmp_path, change, says):
    path = written(tmp_path)
    rewritten(path, change)
    with pytest.raises(UserError, match=f"'video' is damaged .*{says}"):
        FeatureStore(path)


@pytest.mark.parametrize("kind", ["frames", "image"])
def test_jpeg_of_16_bits_is_refused_in_one_line(kind):
    settings = {"size": 16, "channels": 1, "bits": 16, "store": "jpeg"}
    settings |= {"pick": {"even": 1}} if kind == "frames" else {}
    with pytest.raises(ValueError, match="store: jpeg holds 8 bits, not bits: 16") as caught:
        registry.check(registry.kinds()[kind].settings, settings, "m")
    assert "\n" not in str(caught.value)
