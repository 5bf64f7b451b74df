"""Archives in the user's folder: read once, whatever they lack, and again when they are others."""

import os

import pytest
from made_archives import zipped

from equipoise.data import owners
from equipoise.data.owners import Packed
from equipoise.data.published import Item
from equipoise.errors import UserError

ITEMS = [Item(name, "x", "train", {"image": f"{name}.jpg"}) for name in "abc"]


@pytest.fixture
def bring(tmp_path, monkeypatch):
    """Bring what is listed; return the archives that were read for it."""
    read = []
    unpack = owners.unpack

    def noted(archive, *rest):
        read.append(archive.name)
        return unpack(archive, *rest)

    monkeypatch.setattr(owners, "unpack", noted)

    def bring(*names):
        read.clear()
        settings = Packed(media=str(tmp_path), unpack=True)
        owners.bring(ITEMS, settings, dict.fromkeys(names, ""), "ask the owner")
        return list(read)

    return bring


def test_an_archive_is_not_read_again_for_a_file_that_it_lacks(bring, tmp_path):
    zipped(tmp_path / "one.zip", {"in/a.jpg": b"a"})
    zipped(tmp_path / "two.zip", {"in/b.jpg": b"b", "in/c.txt": b""})
    assert bring("one.zip", "two.zip") == ["one.zip", "two.zip"]
    assert bring("one.zip", "two.zip") == []  # c.jpg is in neither
    (tmp_path / "b.jpg").unlink()
    assert bring("one.zip", "two.zip") == ["two.zip"]
    (tmp_path / "one.zip").unlink()  # all is unpacked, and c.jpg was not in it
    assert bring("one.zip", "two.zip") == []
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(UserError, match=r"one\.zip: no such archive; ask the owner"):
        bring("one.zip", "two.zip")


def test_another_archive_of_that_name_is_read(bring, tmp_path):
    path = zipped(tmp_path / "one.zip", {"in/a.jpg": b"a"})
    assert bring("one.zip") == ["one.zip"]
    times = path.stat()
    zipped(path, {"in/c.jpg": b"c"})
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    assert bring("one.zip") == ["one.zip"]
    assert (tmp_path / "c.jpg").read_bytes() == b"c"


def test_a_damaged_archive_is_never_believed_to_be_read(bring, tmp_path):
    path = zipped(tmp_path / "one.zip", {"in/a.jpg": b"aaaaaaaa" * 9, "in/b.jpg": b"b"})
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"aaaaaaaa", b"aaaabaaa", 1))
    for _ in range(2):
        with pytest.raises(UserError, match=r"one\.zip: cut or damaged"):
            bring("one.zip")
