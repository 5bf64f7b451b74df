"""ave: the real lists by their counts, a miniature through the stages."""

import io
import zipfile
from collections import Counter

import miniature
import pytest
from misbehaving_server import Server, content, in_turn, ranged

from equipoise.data import drive, sources
from equipoise.data.datasets import ave
from equipoise.data.sources import LooseSource
from equipoise.errors import UserError

ROWS = {"train": 3339, "val": 402, "test": 402}
ENTRY = {
    "modalities": {
        "video": {"kind": "frames", "pick": {"even": 1}, "size": 8},
        "audio": {"kind": "sound", "rate": 8000, "seconds": 0.3, "n_fft": 64, "hop": 64},
    },
    "encoders": {"video": "conv_frames", "audio": "conv_spectrogram"},
}


def real():
    return {side: ave.parse(miniature.real(f"ave-{side}"), side, side) for side in ROWS}


def test_counts_of_the_real_lists():
    sides = real()
    assert {side: len(items) for side, items in sides.items()} == ROWS
    first = {side: ave.choose(items, "first") for side, items in sides.items()}
    last = {side: ave.choose(items, "last") for side, items in sides.items()}
    expected = {"train": 3312, "val": 401, "test": 402}
    assert {s: len(i) for s, i in first.items()} == {s: len(i) for s, i in last.items()} == expected
    differ = {}
    for side in ROWS:
        labels = {item.group: item.label for item in last[side]}
        differ[side] = sum(labels[item.group] != item.label for item in first[side])
    assert differ == {"train": 27, "val": 1, "test": 0}


def test_videos_on_two_sides_of_the_real_lists():
    videos = {side: {item.group for item in items} for side, items in real().items()}
    assert len(videos["train"] & videos["test"]) == 8
    assert len(videos["train"] & videos["val"]) == 10
    assert not videos["val"] & videos["test"]
    everything = ave.named([item for items in real().values() for item in items])
    assert len({item.sample_id for item in everything}) == len(everything) == 4143
    assert len({item.group for item in everything}) == 4097
    assert len({item.label for item in everything}) == 28


def test_rows_of_one_video():
    lines = ["Church bell&a&good&0&10", "Frying (food)&b&good&1&3", "Banjo&a&good&0&0"]
    items = ave.parse(lines, "train", "")

    def pairs(rule):
        return [(i.sample_id, i.label) for i in ave.named(ave.choose(items, rule))]

    assert pairs("first") == [("a", "Church bell"), ("b", "Frying (food)")]
    assert pairs("last") == [("a", "Banjo"), ("b", "Frying (food)")]
    assert pairs("all") == [("a", "Church bell"), ("b", "Frying (food)"), ("a.2", "Banjo")]
    assert items[1].cells == {"start": "1", "end": "3"}
    assert ave.parse([ave.HEADER, *lines], "train", "") == items


@pytest.mark.parametrize("line", ["Banjo&a&good&0", "Banjo&a&good&0&x", ave.HEADER, ""])
def test_a_bad_line_is_named(line):
    with pytest.raises(UserError, match="mine: line 2: "):
        ave.parse(["Banjo&a&good&0&10", line], "train", "mine")


def test_a_miniature_through_the_stages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    number = 0
    for side in ROWS:
        text = ""
        for label in ("Female speech, woman speaking", "Frying (food)") * 2:
            number += 1
            name = f"-{number:02d}_abc-xyz"  # ids begin with a dash and hold underscores
            text += f"{label}&{name}&good&0&10\n"
            miniature.clip(tmp_path / f"AVE_Dataset/AVE/{name}.mp4", number)
        lists.put(f"ave-{side}", text + f"Banjo&{name}&good&0&10\n")
    sides = miniature.one_epoch("ave", ENTRY | {"download": {"media": "AVE_Dataset/AVE"}})
    assert Counter(sides.values()) == {"train": 4, "val": 4, "test": 4}
    row = miniature.table("ave")[0]
    assert row["video"] == row["audio"] == "media/-01_abc-xyz.mp4"
    assert row["label"] == "Female speech, woman speaking"


def test_out_of_the_zip_on_drive(tmp_path, monkeypatch):
    """As published: one zip with AVE_Dataset/AVE and the annotations, too large to be scanned."""
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    file, number = io.BytesIO(), 0
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("AVE_Dataset/Annotations.txt", f"{ave.HEADER}\n")
        for side in ROWS:
            text = ""
            for label in ("Banjo", "Frying (food)") * 2:
                number += 1
                name = f"-{number:02d}_abc-xyz"
                text += f"{label}&{name}&good&0&10\n"
                miniature.clip(tmp_path / f"made/{name}.mp4", number)
                archive.write(tmp_path / f"made/{name}.mp4", f"AVE_Dataset/AVE/{name}.mp4")
            lists.put(f"ave-{side}", text)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setattr(drive, "HOSTS", {"127.0.0.1"})
    form = '<form id="download-form" action="/download"><input name="confirm" value="t"></form>'
    whole = file.getvalue()
    with Server().running() as server:
        server.on("/uc?export=download&id=abc", content(form.encode(), "text/html"))
        answers = (ranged(whole), ranged(whole), ranged(whole, 0.7), ranged(whole))
        server.on("/download?confirm=t", in_turn(*answers))
        entry = LooseSource(urls=[f"{server.root}/file/d/abc/view"], licence="none")
        monkeypatch.setattr(sources, "source", {"ave-videos": entry}.__getitem__)
        options = {"download": {"media": "ave", "unpack": True}}
        sides = miniature.one_epoch("ave", ENTRY | options)
        assert Counter(sides.values()) == {"train": 4, "val": 4, "test": 4}
        there = {path.name: path.read_bytes() for path in (tmp_path / "ave").glob("*.mp4")}
        assert there == {p.name: p.read_bytes() for p in (tmp_path / "made").iterdir()}
        (tmp_path / "ave/AVE_Dataset.zip").unlink()  # all is unpacked: it is not asked for again
        server.asked.clear()
        ave.download(tmp_path / "again", ave.Settings(media="ave", unpack=True))
        assert server.asked == []
        server.on("/uc?export=download&id=abc", content(b"<title>Quota exceeded", "text/html"))
        next((tmp_path / "ave").glob("*.mp4")).unlink()
        with pytest.raises(UserError, match=r"too many have fetched .* put a good copy at"):
            ave.download(tmp_path / "again", ave.Settings(media="ave", unpack=True))


def test_a_page_saved_as_the_archive_is_named(tmp_path, monkeypatch):
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    for side in ROWS:
        lists.put(f"ave-{side}", "Banjo&abcdefghijk&good&0&10\n")
    (tmp_path / "ave").mkdir()
    (tmp_path / "ave/AVE_Dataset.zip").write_bytes(b"<!DOCTYPE html><title>Quota exceeded")
    settings = ave.Settings(media=str(tmp_path / "ave"), unpack=True)
    with pytest.raises(UserError, match=r"AVE_Dataset\.zip: a web page"):
        ave.download(tmp_path / "raw", settings)
    with pytest.raises(UserError, match=r"name with download\.media the folder of the archives"):
        ave.download(tmp_path / "raw", ave.Settings(unpack=True))
