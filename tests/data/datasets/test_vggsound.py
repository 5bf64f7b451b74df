"""vggsound: the real test list by its counts, a miniature through the stages."""

import gzip
import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import miniature
import pytest
from misbehaving_server import Server, content, in_turn, ranged, redirect, status

from equipoise.data import body, published, sources
from equipoise.data.datasets import vggsound
from equipoise.data.sources import StreamSource
from equipoise.errors import UserError

ENTRY = {
    "modalities": {
        "video": {"kind": "frames", "pick": {"even": 1}, "size": 8},
        "audio": {"kind": "sound", "rate": 8000, "seconds": 0.3, "n_fft": 64, "hop": 64},
    },
    "encoders": {"video": "conv_frames", "audio": "conv_spectrogram"},
}
#: Where the mirror has single files of the repository.
RAW = "raw.githubusercontent.com/hche11/VGGSound/9bbc7491c054a203e53584c0065df336e1322bb7/data"


def test_counts_of_the_real_test_list():
    path: Path = miniature.MIRROR / RAW / "test.csv"
    if not path.is_file():
        pytest.skip("EQUIPOISE_MIRROR names no folder that holds the test list of VGGSound")
    items = vggsound.parse(published.split_lines(path.read_bytes()), "test", "test.csv")
    assert len(items) == len({item.sample_id for item in items}) == 15446
    labels = Counter(item.label for item in items)
    assert len(labels) == 309 and set(labels.values()) == {49, 50}
    assert sum("," in item.label for item in items) == 1150
    assert len({item.group for item in items}) == 14851


@pytest.mark.parametrize("line", ["abc_000001.mp4,dog", "abcdefghijk_000001.mp4", "a,b,c", ""])
def test_a_bad_line_is_named(line):
    good = 'abcdefghijk_000001.mp4,"bird chirping, tweeting"'
    assert vggsound.parse([good], "train", "")[0].label == "bird chirping, tweeting"
    with pytest.raises(UserError, match="mine: line 2: "):
        vggsound.parse([good, line or ","], "train", "mine")


@pytest.fixture
def lists(tmp_path, monkeypatch):
    """Nine clips of train and four of test, two classes; returns the names of their files."""
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    (tmp_path / "upstream/data").mkdir(parents=True)
    names = [f"-{number:02d}_abc-xyz_{30 * number:06d}.mp4" for number in range(1, 14)]
    for side, some in (("train", names[:9]), ("test", names[9:])):
        labels = ("dog barking", '"bird chirping, tweeting"')
        text = "".join(f"{name},{labels[int(name[1:3]) % 2]}\r\n" for name in some)
        (tmp_path / f"upstream/data/{side}.csv").write_bytes(text.encode())
    commit = miniature.commit(tmp_path / "upstream")
    address = lists.root / "github.com/hche11/VGGSound.git"
    miniature.git(tmp_path, "clone", "-q", "--bare", tmp_path / "upstream", address)
    lists.entries["vggsound"] = lists.entries["vggsound"].model_copy(update={"commit": commit})
    return names


def expect_all_but(absent, side="train"):
    report = json.loads(Path("data/raw/vggsound", published.COVERAGE).read_text())
    assert report["absent"]["split"] == {side: len(absent)}
    assert report["samples"] == [name.removesuffix(".mp4") for name in absent]
    assert {row["label"] for row in miniature.table("vggsound")} == {
        "bird chirping, tweeting",
        "dog barking",
    }


def test_a_miniature_through_the_stages(tmp_path, lists):
    for number, name in enumerate(lists, 1):
        if number != 9:  # gone from YouTube
            miniature.clip(tmp_path / f"parts/vggsound_{number % 2:02d}/{name}", number)
    entry = ENTRY | {"download": {"media": "parts", "allow_missing": 1}}
    sides = miniature.one_epoch("vggsound", entry | {"split": {"val_fraction": 0.5}})
    assert Counter(sides.values()) == {"train": 4, "val": 4, "test": 4}
    expect_all_but([lists[8]])


#: The folders in the published parts, as scripts of others find them.
INSIDE = "scratch/shared/beegfs/hchen/train_data/VGGSound_final/video"


@pytest.fixture
def hub(tmp_path, monkeypatch, lists):
    """The hub: three parts in the published layout, each behind a signed address good for once."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setattr(body, "PAUSE", 0.0)
    made = [tmp_path / "made" / name for name in lists]
    for number, path in enumerate(made, 1):
        miniature.clip(path, number)
    other = tmp_path / "made/zzzzzzzzzzz_000001.mp4"
    other.write_bytes(b"in no list")
    with Server().running() as server:
        urls = []
        for part, some in enumerate((made[:4], made[4:8], made[8:])):
            file = io.BytesIO()
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                for path in (other, *some):
                    tar.add(path, f"{INSIDE}/{path.name}")
            whole = file.getvalue()
            first = server.on(f"/signed/{part}?once=1", in_turn(ranged(whole, 0.5), status(403)))
            rest = server.on(f"/signed/{part}?once=2", ranged(whole))
            answers = (redirect(first), status(429), redirect(rest))
            urls.append(server.on(f"/vggsound_{part:02d}.tar.gz", in_turn(*answers)))
        entry = StreamSource(urls=urls, holds="archives", licence="none")
        monkeypatch.setattr(sources, "stream", {"vggsound-clips": entry}.__getitem__)
        yield server


def test_listed_clips_are_streamed_out_of_the_parts(hub, tmp_path, lists):
    options = {"media": "clips", "stream": True}
    entry = ENTRY | {"download": options, "split": {"val_fraction": 0.5}}
    sides = miniature.one_epoch("vggsound", entry)
    assert Counter(sides.values()) == {"train": 5, "val": 4, "test": 4}
    there = {path.name: path.read_bytes() for path in (tmp_path / "clips").rglob("*.mp4")}
    assert there == {name: (tmp_path / "made" / name).read_bytes() for name in lists}
    assert not list((tmp_path / "clips").rglob("*.tar.gz"))
    (tmp_path / "clips" / vggsound.PART / lists[5]).unlink()
    hub.asked.clear()
    for _ in range(2):
        vggsound.download(tmp_path / "again", vggsound.Settings(**options))
    assert [path for path, _ in hub.asked] == ["/vggsound_01.tar.gz", "/signed/1?once=2"]


def test_a_damaged_part_costs_what_stands_behind_the_damage(hub, tmp_path, lists):
    """As the published part 08; here it ends inside its last clip, which is one of the test."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name in lists[8:]:
            tar.add(tmp_path / "made" / name, f"{INSIDE}/{name}")
    size = (tmp_path / "made" / lists[12]).stat().st_size
    cut = whole.getvalue().rstrip(b"\0")[: -size // 2]
    hub.on("/vggsound_02.tar.gz", content(gzip.compress(cut)))
    options = {"media": "clips", "stream": True}
    with pytest.raises(
        UserError, match=r"2 of 13 .*read: 1, first .*/vggsound_02\.tar\.gz: .*; 3 files before it"
    ) as caught:
        vggsound.download(tmp_path / "raw", vggsound.Settings(**options))
    assert "\n" not in str(caught.value)
    allowed = vggsound.Settings(**options, allow_missing=2)
    vggsound.download(tmp_path / "data/raw/vggsound", allowed)
    expect_all_but(lists[11:], "test")


def test_a_folder_for_the_clips_is_named(lists, tmp_path):
    with pytest.raises(UserError, match=r"name with download\.media the folder"):
        vggsound.download(tmp_path / "raw", vggsound.Settings(stream=True))
