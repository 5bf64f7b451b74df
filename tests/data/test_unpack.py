"""Listed files out of zip, rar and 7z: the same guards for each; one line for what is none."""

import io
import random
import stat
import struct
import sys
import zipfile

import pytest
from made_archives import (
    need_libarchive,
    rared,
    rared5,
    rared5_tight,
    rared_tight,
    sevened,
    zipped,
)

from equipoise.data import archives, room, unpack
from equipoise.data.ask import WrongError
from equipoise.errors import UserError

NOISE = {f"c{n}.avi": random.Random(n).randbytes(3_000 + n) for n in range(4)}
WANTED = {f"Walk/{name}": f"Walk/{name}" for name in ("c1.avi", "c3.avi")}


MAKERS = {"zip": zipped, "7z": sevened, "rar": rared, "rar5": rared5}
kinds = pytest.mark.parametrize("kind", MAKERS)


@pytest.fixture
def make(kind, tmp_path):
    """A maker of archives of one kind."""
    if kind != "zip":
        need_libarchive()
    (tmp_path / "in").mkdir()
    return lambda members: MAKERS[kind](tmp_path / f"a.{kind}", members)


def below(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def refused(path, folder):
    with pytest.raises(WrongError) as caught:
        unpack.unpack(path, folder, WANTED)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@kinds
def test_what_is_listed_is_written(make, tmp_path):
    path = make({f"UCF/Walk/{name}": data for name, data in NOISE.items()})
    assert unpack.unpack(path, tmp_path / "in", WANTED).written == 2
    expected = {f"Walk/{name}": NOISE[name] for name in ("c1.avi", "c3.avi")}
    assert below(tmp_path / "in") == expected
    (tmp_path / "in/Walk/c1.avi").unlink()
    (tmp_path / "in/Walk/c3.avi").write_bytes(b"mine")
    assert unpack.unpack(path, tmp_path / "in", WANTED).written == 1
    assert below(tmp_path / "in") == expected | {"Walk/c3.avi": b"mine"}


@kinds
def test_nothing_is_written_where_an_archive_says(make, tmp_path):
    members = {
        "../../Walk/c1.avi": b"above",
        "/etc/Walk/c1.avi": b"absolute, and a second one of that name",
        "Walk/c3.avi": (b"/etc/passwd", stat.S_IFLNK | 0o777),
        "../c3.avi": b"of no listed folder",
    }
    assert unpack.unpack(make(members), tmp_path / "in", WANTED).written == 1
    assert below(tmp_path / "in") == {"Walk/c1.avi": b"above"}
    assert not (tmp_path / "Walk").exists()


@kinds
@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"MEMBERS": 3}, "more than 3 members"),
        ({"LARGEST": 3_000}, "Walk/c1.avi: 3001 bytes, more than 3000"),
        ({"UNPACKED": 6_000}, "more than 6000 bytes unpacked"),
    ],
)
def test_limits(make, tmp_path, monkeypatch, limits, words):
    path = make({f"Walk/{name}": data for name, data in NOISE.items()})
    for name, value in limits.items():
        monkeypatch.setattr(archives, name, value)
    here(monkeypatch)
    assert words in refused(path, tmp_path / "in")


def here(monkeypatch):
    """Let libarchive run in this process, where the limits are those of the test."""

    class Here:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, work, *arguments):
            given = work(*arguments)
            return type("Done", (), {"result": lambda _: given})()

    monkeypatch.setattr(unpack, "ProcessPoolExecutor", Here)


@kinds
def test_a_cut_or_damaged_archive_leaves_no_half_file(make, tmp_path):
    path = make({f"Walk/{name}": data for name, data in NOISE.items()})
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(NOISE["c1.avi"][:64]) + 500])
    assert "damaged" in refused(path, tmp_path / "in")
    at = whole.index(NOISE["c3.avi"][:64]) + 1_000
    path.write_bytes(whole[:at] + bytes(8) + whole[at + 8 :])
    assert "damaged" in refused(path, tmp_path / "in")
    assert below(tmp_path / "in").get("Walk/c3.avi") is None


@pytest.mark.parametrize("kind", ["7z"])
def test_volumes_are_one_archive(make, tmp_path):
    whole = make({f"x/Walk/{name}": data for name, data in NOISE.items()}).read_bytes()
    for number in range(1, 4):
        part = whole[(number - 1) * 5_000 : number * 5_000]
        (tmp_path / f"v.7z.{number:03d}").write_bytes(part)
    assert unpack.unpack(tmp_path / "v.7z.001", tmp_path / "in", WANTED).written == 2
    (tmp_path / "v.7z.003").unlink()
    (tmp_path / "again").mkdir()
    assert "damaged" in refused(tmp_path / "v.7z.001", tmp_path / "again")
    assert below(tmp_path / "again") == {}


@pytest.mark.parametrize("tight", [rared_tight, rared5_tight])
def test_rars_that_are_compressed(tight, tmp_path):
    need_libarchive()
    data = NOISE["c1.avi"] + b"a" * 2_000 + bytes([0, 253, 254, 255]) * 9
    members = {"x/Walk/c0.avi": NOISE["c0.avi"], "x/Walk/c1.avi": data, "x/Walk/c3.avi": b""}
    path = tight(tmp_path / "a.rar", members)
    unpack.unpack(path, tmp_path, WANTED)
    assert below(tmp_path) | {"a.rar": b""} == {
        "a.rar": b"",
        "Walk/c1.avi": data,
        "Walk/c3.avi": b"",
    }
    whole = path.read_bytes()
    (tmp_path / "Walk/c1.avi").unlink()
    path.write_bytes(whole[:-600] + bytes([whole[-600] ^ 64]) + whole[-599:])
    assert "damaged" in refused(path, tmp_path)
    assert not (tmp_path / "Walk/c1.avi").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_of_another_method_is_not_taken_for_a_bad_disk(tmp_path, method):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("Walk/c1.avi", NOISE["c1.avi"])
    whole = path.read_bytes()
    path.write_bytes(whole[:70] + bytes([whole[70] ^ 255]) + whole[71:])
    assert "cut or damaged" in refused(path, tmp_path)
    assert not (tmp_path / "Walk/c1.avi").exists()


def test_a_zip_that_lies_about_a_size(tmp_path):
    path = zipped(tmp_path / "a.zip", {"Walk/c1.avi": b"x" * 900})
    whole = path.read_bytes()
    path.write_bytes(whole.replace(struct.pack("<II", 900, 900), struct.pack("<II", 900, 400)))
    assert "damaged" in refused(path, tmp_path) or "it holds others" in refused(path, tmp_path)
    assert not (tmp_path / "Walk/c1.avi").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><title>Quota exceeded", "a web page"),
        (b"", "no zip, rar or 7z"),
        (b"\x1f\x8b\x08", "no zip, rar or 7z"),
        (b"PK\x03\x04" + bytes(99), "damaged"),
    ],
)
def test_what_is_no_archive(tmp_path, content, words):
    (tmp_path / "a.rar").write_bytes(content)
    assert words in refused(tmp_path / "a.rar", tmp_path)


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "libarchive", None)
    here(monkeypatch)
    path = rared(tmp_path / "a.rar", {"Walk/c1.avi": b"x"})
    assert "a rar archive is read by libarchive: pip install" in refused(path, tmp_path)


def test_room_is_looked_at_before(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.zip", {"Walk/c1.avi": b"x"})
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("U", (), {"free": 10})())
    with pytest.raises(UserError, match="about 121 bytes are still to come, 10 are free"):
        unpack.unpack(path, tmp_path, {"Walk/c1.avi": "Walk/c1.avi"})


def test_a_library_that_falls_over_makes_one_line(tmp_path, monkeypatch):
    path = rared(tmp_path / "a.rar", {"Walk/c1.avi": b"x"})
    monkeypatch.setattr(unpack, "_libarchive", _fall)
    assert "fell over" in refused(path, tmp_path)


def _fall(*_):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSEGV)


def test_joined_volumes_are_read_across_their_ends(tmp_path):
    parts = [b"abc", b"", b"defg"]
    for number, part in enumerate(parts):
        (tmp_path / str(number)).write_bytes(part)
    joined = unpack._Joined([tmp_path / str(number) for number in range(3)])
    assert io.BufferedReader(joined).read() == b"abcdefg"
    joined = unpack._Joined([tmp_path / str(number) for number in range(3)])
    assert (joined.seek(-3, 2), joined.read(2), joined.tell()) == (4, b"ef", 6)
    assert (joined.seek(1), joined.read(9), joined.read(9)) == (1, b"bc", b"defg")
