import json

import pytest

from equipoise import files, layout
from equipoise.data import folder as folders
from equipoise.data import origin

DOWNLOAD = {"folder": "mine"}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Two clips in a folder, taken over as stage download does."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"a")
    (folder / "b.wav").write_bytes(b"b")
    write(folder, "s0,x,,,a.wav", "s1,y,,,b.wav")
    raw = layout.raw("own")
    folders.download(raw["manifest"].parent, folders.Settings(folder="mine"))
    names = ["media/a.wav", "media/b.wav"]
    lines = [f"{files.sha256(raw['manifest'].parent / n)}  {n}\n" for n in names]
    files.write_text(raw["checksums"], "".join(lines))
    return folder


def write(folder, *rows):
    lines = ["sample_id,label,split,group,audio", *rows]
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")


def test_what_was_taken_and_what_is_there_have_one_digest(mine):
    here = origin.digest("own", DOWNLOAD)
    mine.rename(mine.with_name("away"))
    assert origin.digest("own", DOWNLOAD) == here  # on a machine that has only the results


@pytest.mark.parametrize("row", ["s1,z,,,b.wav", "s1,y,,g,b.wav", "s2,y,,,b.wav", "s1,y,,,a.wav"])
def test_another_row_is_another_digest(mine, row):
    before = origin.digest("own", DOWNLOAD)
    write(mine, "s0,x,,,a.wav", row)
    assert origin.digest("own", DOWNLOAD) != before
    assert [p.name for p, _ in origin.changes("own", DOWNLOAD)] == ["manifest.csv"]


def test_another_clip_is_another_digest_and_is_named(mine):
    before = origin.digest("own", DOWNLOAD)
    assert origin.changes("own", DOWNLOAD) == []
    (mine / "b.wav").write_bytes(b"c")
    assert origin.digest("own", DOWNLOAD) != before
    ((path, why),) = origin.changes("own", DOWNLOAD)
    assert str(path) == "data/raw/own/media/b.wav" and "mine/b.wav has changed" in why


def test_a_clip_or_manifest_that_is_gone_is_another_digest(mine):
    found = [origin.digest("own", DOWNLOAD)]
    (mine / "b.wav").unlink()
    found.append(origin.digest("own", DOWNLOAD))
    (mine / "manifest.csv").unlink()
    found.append(origin.digest("own", DOWNLOAD))
    assert len(set(found)) == 3


def test_a_noted_clip_is_not_read_again(mine, monkeypatch):
    """Files as large and as old as noted: the note is believed, and shows."""
    monkeypatch.setattr(origin, "RACY_NS", -(10**18))
    before = origin.digest("own", DOWNLOAD)
    notes = layout.state("download", "own", "origin.json")
    noted = json.loads(notes.read_text())
    stamp, _, _ = noted["media/a.wav"].rpartition(" ")
    noted["media/a.wav"] = f"{stamp} another"
    notes.write_text(json.dumps(noted))
    assert origin.digest("own", DOWNLOAD) != before
    notes.write_text("no JSON")
    assert origin.digest("own", DOWNLOAD) == before


def test_a_clip_that_just_changed_is_not_noted(mine):
    origin.digest("own", DOWNLOAD)
    assert json.loads(layout.state("download", "own", "origin.json").read_text()) == {}


def test_without_a_folder_there_is_nothing_to_compare():
    assert origin.digest("keypad", {"clips": 3}) == ""
    assert origin.changes("keypad", {"clips": 3}) == []


@pytest.mark.parametrize("content", [b"", b"\xff", b"a,b\n1\n", b"sample_id\n"])
@pytest.mark.parametrize("name", ["manifest", "checksums"])
def test_damaged_files_of_the_project_do_not_stop_the_comparison(mine, name, content):
    """Of an empty manifest, ``equipoise verify`` said StopIteration."""
    layout.raw("own")[name].write_bytes(content)
    found = [str(path) for path, _ in origin.changes("own", DOWNLOAD)]
    assert found in ([], ["data/raw/own/manifest.csv"])
    mine.rename(mine.with_name("away"))
    assert origin.digest("own", DOWNLOAD)
