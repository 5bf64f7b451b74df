"""vggsound: the real test list by its counts, a miniature through the stages."""

import json
from collections import Counter
from pathlib import Path

import miniature
import pytest

from equipoise.data import published
from equipoise.data.datasets import vggsound
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


def test_a_miniature_through_the_stages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    (tmp_path / "upstream/data").mkdir(parents=True)
    number = 0
    for side, count in (("train", 9), ("test", 4)):
        text = ""
        for _ in range(count):
            number += 1
            name = f"-{number:02d}_abc-xyz_{30 * number:06d}.mp4"
            label = ('"bird chirping, tweeting"', "dog barking")[number % 2]
            text += f"{name},{label}\r\n"
            if number != 9:  # gone from YouTube
                miniature.clip(tmp_path / f"parts/vggsound_{number % 2:02d}/{name}", number)
        (tmp_path / f"upstream/data/{side}.csv").write_bytes(text.encode())
    commit = miniature.commit(tmp_path / "upstream")
    address = lists.root / "github.com/hche11/VGGSound.git"
    miniature.git(tmp_path, "clone", "-q", "--bare", tmp_path / "upstream", address)
    lists.entries["vggsound"] = lists.entries["vggsound"].model_copy(update={"commit": commit})
    options = {"media": "parts", "allow_missing": 1}
    sides = miniature.one_epoch(
        "vggsound", ENTRY | {"download": options, "split": {"val_fraction": 0.5}}
    )
    assert Counter(sides.values()) == {"train": 4, "val": 4, "test": 4}
    assert {row["label"] for row in miniature.table("vggsound")} == {
        "bird chirping, tweeting",
        "dog barking",
    }
    report = json.loads(Path("data/raw/vggsound", published.COVERAGE).read_text())
    assert report["absent"]["split"] == {"train": 1}
    assert report["samples"] == ["-09_abc-xyz_000270"]
