import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from equipoise.media import stills
from equipoise.media.decode import decode
from equipoise.media.errors import MediaError
from equipoise.media.wants import Pick, Pictures, Still

#: Three colours in four quarters, so that no two orientations look alike.
QUARTERS = np.zeros((40, 60, 3), np.uint8)
QUARTERS[:20, :30] = (250, 10, 10)
QUARTERS[:20, 30:] = (10, 250, 10)
QUARTERS[20:, :30] = (10, 10, 250)


def still(path, height=40, width=60, **options):
    return decode(path, {"i": Still(height, width, **options)})["i"].array


def near(found, wanted):
    return np.abs(found.astype(int) - wanted)[3:-3, 3:-3].mean() < 12


LOSSLESS = {
    "x.png": {},
    "x.bmp": {},
    "x.tga": {},
    "x.ppm": {},
    "x.pcx": {},
    "raw.tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "deflate.tiff": {"compression": "tiff_adobe_deflate"},
    "x.webp": {"lossless": True},
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_pictures_are_those_that_were_written(tmp_path, name):
    Image.fromarray(QUARTERS).save(tmp_path / name, **LOSSLESS[name])
    assert np.array_equal(still(tmp_path / name), QUARTERS)
    assert np.array_equal(still(tmp_path / name, 20, 30)[0, 0], QUARTERS[0, 0])


@pytest.mark.parametrize("name", ["x.jpg", "x.webp", "x.gif", "x.jp2", "x.avif"])
def test_other_pictures(tmp_path, name):
    try:
        Image.fromarray(QUARTERS).save(tmp_path / name)
    except (KeyError, ValueError, OSError):
        pytest.skip("this Pillow cannot write it")
    assert near(still(tmp_path / name), QUARTERS)


def test_what_is_in_it_counts_and_not_its_name(tmp_path):
    path = tmp_path / "f%d.jpg"
    Image.fromarray(QUARTERS).save(path, "PNG")
    (tmp_path / "f0.jpg").write_bytes(b"another")
    assert np.array_equal(still(path), QUARTERS)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(QUARTERS).save(tmp_path / "x", kind, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "x")).convert("RGB"))
    assert upright.shape[:2] == ((40, 60) if orientation < 5 else (60, 40))
    assert near(still(tmp_path / "x", *upright.shape[:2]), upright)


def test_animations_as_clips(tmp_path):
    """The libraries have no decoder of animated WebP, which is no damage."""
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue", "lime")]
    want = {"v": Pictures(Pick("even", 5), 20, 30)}
    for name in ("x.gif", "x.png", "x.webp"):
        path = tmp_path / name
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 300, 100])
        if name != "x.webp":
            found = decode(path, want)["v"]
            assert (found.frames, found.seconds) == (3, pytest.approx(0.5, abs=0.01))
            shown = [tuple(pixel) for pixel in found.array[:, 0, 0]]
            assert shown == [(255, 0, 0), *[(0, 0, 255)] * 3, (0, 255, 0)]
    with pytest.raises(MediaError, match="animated WebP: not read as a clip"):
        decode(tmp_path / "x.webp", want)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_read_as_a_clip_stands_upright_too(tmp_path, kind, orientation):
    """PyAV has no name for EXIF among what stands beside a frame, and refused to look at it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "x"
    Image.fromarray(QUARTERS).save(path, kind, exif=exif)
    sides = (40, 60) if orientation < 5 else (60, 40)
    found = decode(path, {"v": Pictures(Pick("first", 1), *sides)})["v"].array[0]
    assert near(found, still(path, *sides))


def test_remarks_in_a_picture_are_no_part_of_it(tmp_path):
    """A camera's small picture has an end of its own; and broken EXIF is no broken picture."""
    picture = Image.fromarray(QUARTERS)
    picture.resize((15, 10)).save(tmp_path / "small.jpg")
    tiff = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    ends = struct.pack("<HI", 0, 14) + struct.pack("<HHHIIHHII", 2, 513, 4, 1, 44, 514, 4, 1, 900)
    small = tiff + ends + bytes(4) + (tmp_path / "small.jpg").read_bytes()
    broken = [b"Exif\0\0garbage garbage", tiff + b"\xff\xff\x12\x01", tiff[:-4] + b"\xff" * 4]
    for exif in (small, *broken):
        for kind in ("JPEG", "PNG", "WEBP"):
            picture.save(tmp_path / "x", kind, exif=exif, quality=95)
            assert near(still(tmp_path / "x"), QUARTERS)
    picture.save(tmp_path / "x", "JPEG", exif=small, progressive=True, comment=b"\xff\xd9")
    whole = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(whole + b"\xff\xd8 a film of the phone")
    assert near(still(tmp_path / "x"), QUARTERS)
    (tmp_path / "x").write_bytes(whole[:-200] + b"\xff\xd9")
    with pytest.raises(MediaError, match="damaged"):
        still(tmp_path / "x")


def test_the_first_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue")]
    for name in ("x.gif", "x.png", "x.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert near(still(tmp_path / name, 20, 30), np.full((20, 30, 3), (255, 0, 0)))


MODES = {"1": 255, "L": 200, "LA": 200, "P": 200, "RGB": 200, "RGBA": 200, "CMYK": 200}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_gives_the_same_channels(tmp_path, mode, channels):
    grey = Image.new("L", (30, 20), MODES[mode])
    image = grey.convert(mode) if mode in ("1", "LA", "P") else grey.convert("RGB").convert(mode)
    image.save(tmp_path / "x.tif")
    found = still(tmp_path / "x.tif", 20, 30, channels=channels)
    assert found.shape == (20, 30, channels) and np.abs(found.astype(int) - MODES[mode]).max() <= 1


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.pgm"])
def test_sixteen_bits(tmp_path, name):
    values = np.linspace(500, 4000, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / name)
    found = still(tmp_path / name, 48, 64, channels=1, bits=16)
    assert found.dtype == np.uint16 and np.array_equal(found[..., 0], values)
    nearest = still(tmp_path / name, 24, 32, channels=1, bits=16)
    assert np.array_equal(nearest[..., 0], values[1::2, 1::2])
    eight = still(tmp_path / name, 48, 64, channels=1)  # the upper bits, never clipped at 255
    assert np.array_equal(eight[..., 0], values >> 8)


def test_what_eight_bits_lose_of_sixteen_is_told(tmp_path):
    values = np.array([[0, 1], [255, 256]], np.uint16).repeat(9, 0).repeat(9, 1)
    Image.fromarray(values).save(tmp_path / "x.png")
    eight = Still(18, 18, channels=1)
    found = decode(tmp_path / "x.png", {"eight": eight, "deep": replace(eight, bits=16)})
    assert found["eight"].narrowed == 0.5, "of 0, 1, 255, 256 two upper bytes are left"
    assert found["deep"].narrowed == 0
    assert stills.is_deep(tmp_path / "x.png")
    Image.fromarray(values.astype(np.uint8)).save(tmp_path / "y.png")
    assert decode(tmp_path / "y.png", {"eight": eight})["eight"].narrowed == 0
    assert not stills.is_deep(tmp_path / "y.png")


def test_depth_of_a_colour_picture_is_refused(tmp_path):
    Image.fromarray(QUARTERS).save(tmp_path / "x.png")
    with pytest.raises(MediaError, match="no depth of 16 bits: its pixels are RGB"):
        still(tmp_path / "x.png", bits=16)
    Image.fromarray(np.zeros((9, 9), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(MediaError, match="floating-point"):
        still(tmp_path / "x.tif")


def test_crop_keeps_the_centre(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = (9, 200, 9)
    Image.fromarray(wide).save(tmp_path / "x.png")
    assert np.array_equal(still(tmp_path / "x.png", 20, 20, fit="crop"), wide[:, 20:40])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95}])
def test_small_and_flat_jpegs_are_intact(tmp_path, options):
    for number in range(30):
        grey = Image.fromarray(np.full((28, 28), 8 * number, np.uint8))
        grey.save(tmp_path / "x.jpg", **options)
        assert np.abs(still(tmp_path / "x.jpg", 28, 28).astype(int) - 8 * number).max() <= 2


def test_a_large_flat_picture_is_no_bomb_and_a_bomb_is(tmp_path, monkeypatch):
    Image.new("RGB", (400, 300), "red").save(tmp_path / "x.png")
    monkeypatch.setattr(stills, "LIMIT", 400 * 300 - 1)
    with pytest.raises(MediaError, match="400 x 300: more than 119,999 pixels"):
        still(tmp_path / "x.png")
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header
    chunk += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IDAT" + bytes(9)
    )
    with pytest.raises(MediaError, match="more than"):
        still(tmp_path / "bomb.png")


NOISE = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif", "x.bmp", "x.gif", "x.tga"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_truncated_pictures(tmp_path, name, share):
    Image.fromarray(NOISE).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MediaError):
        still(tmp_path / name)


@pytest.mark.parametrize("name", ["x.jpg", "progressive.jpg", "x.png"])
@pytest.mark.parametrize("fill", ["zeros", "noise"])
def test_overwritten_pictures(tmp_path, name, fill):
    smooth = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)[..., None]
    image = Image.fromarray(np.clip(smooth // 2 + NOISE // 4, 0, 255).astype(np.uint8))
    image.save(tmp_path / name, **({"progressive": True} if "progressive" in name else {}))
    data = bytearray((tmp_path / name).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1500] = bytes(1500) if fill == "zeros" else NOISE.tobytes()[:1500]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError):
        still(tmp_path / name)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"v/1\x01" + bytes(99), "OpenEXR picture: not read here"),
        (bytes(3) + b"\x18ftypheic" + bytes(99), "HEIC picture: not read here"),
        (b"\xff\x0a" + bytes(99), "JPEG XL picture: not read here"),
    ],
)
def test_refused_by_name(tmp_path, data, reason):
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(MediaError, match=reason):
        still(tmp_path / "x.png")
