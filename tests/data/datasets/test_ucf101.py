"""ucf101: the real lists by their counts, a miniature through the stages."""

import subprocess
from collections import Counter

import miniature
import numpy as np
import pytest
from made_archives import need_libarchive, rared

from equipoise.data.datasets import ucf101
from equipoise.errors import UserError
from equipoise.media.ffmpeg import binary
from equipoise.modalities.base import reader
from equipoise.modalities.sample import read_sample

#: Clips of train and test of each split, and the groups of test.
SPLITS = {
    1: (9537, 3783, range(1, 8)),
    2: (9586, 3734, range(8, 15)),
    3: (9624, 3696, range(15, 22)),
}
ENTRY = {
    "modalities": {
        "color": {"kind": "frames", "column": "video", "pick": {"even": 2}, "size": 8},
        "flow": {
            "kind": "flow",
            "column": "video",
            "pick": {"every": 0.04, "count": 2},
            "size": 32,
        },
    },
    "encoders": {"color": "conv_frames", "flow": "conv_frames"},
}


@pytest.mark.parametrize("split", SPLITS)
def test_counts_of_the_real_lists(split):
    classes = ucf101.numbers(miniature.real("ucf101-classind"))
    assert len(classes) == 101 and classes["HandstandPushups"] == "37"
    sides = {
        side: ucf101.parse(miniature.real(f"ucf101-{side}list0{split}"), side, classes, side)
        for side in ("train", "test")
    }
    train, test, groups = SPLITS[split]
    assert (len(sides["train"]), len(sides["test"])) == (train, test)
    assert {int(item.group[-2:]) for item in sides["test"]} == set(groups)
    assert not {i.group for i in sides["train"]} & {i.group for i in sides["test"]}
    together = [*sides["train"], *sides["test"]]
    assert len({item.sample_id for item in together}) == 13320
    assert len({item.group for item in together}) == 2525


CLASSES = {"HammerThrow": "1", "Hammering": "2"}


@pytest.mark.parametrize(
    "line",
    ["Hammering/v_Hammering_g01_c01.avi 1", "Hammer/v_Hammer_g01_c01.avi", "", "Hammering/x"],
)
def test_a_bad_line_is_named(line):
    good = "Hammering/v_Hammering_g01_c01.avi 2"
    with pytest.raises(UserError, match="mine: line 2: "):
        ucf101.parse([good, line], "train", CLASSES, "mine")


def film(path, number):
    """As published: MPEG-4 with packed B-frames in AVI; every other one has MP3."""
    sound = ("-f", "lavfi", "-i", "sine=f=500:r=44100:d=0.5", "-c:a", "libmp3lame")
    miniature.moving(path, number, *(sound if number % 2 else ()))
    miniature.pack(path)


@pytest.mark.parametrize("pick", [{"first": 12}, {"every": 0.04, "count": 12}, {"even": 12}])
@pytest.mark.parametrize("sound", [(), ("-f", "lavfi", "-i", "sine=f=500:d=0.5")])
def test_packed_b_frames_are_read_as_plain_ones(tmp_path, sound, pick):
    path = tmp_path / "a.avi"
    miniature.moving(path, 5, *sound)
    own = reader("m", "frames", {"pick": pick, "size": 64, "channels": 3})
    plain = read_sample({"m": own}, {"m": path})["m"].array
    miniature.pack(path)
    said = subprocess.run([binary(), "-v", "verbose", "-i", path, "-f", "null", "-"],
                          capture_output=True, check=True)  # fmt: skip
    assert b"packed B-frames" in said.stderr
    assert np.array_equal(read_sample({"m": own}, {"m": path})["m"].array, plain)
    assert len(np.unique(plain.reshape(12, -1), axis=0)) >= 11


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """Lists of split 2, and twelve clips as published in tmp_path/UCF-101."""
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    lists.put("ucf101-classind", "".join(f"{n} {c}\r\n" for c, n in CLASSES.items()))
    number, text = 0, {"train": "", "test": ""}
    for group in range(1, 7):
        for name, label in CLASSES.items():
            number += 1
            path = f"{name}/v_{name}_g{group:02d}_c01.avi"
            film(tmp_path / "UCF-101" / path, number)
            side = "test" if group < 3 else "train"
            text[side] += f"{path} {label}\r\n" if side == "train" else f"{path}\r\n"
    for side, content in text.items():
        lists.put(f"ucf101-{side}list02", content)
    return tmp_path / "UCF-101"


def one_epoch(**options):
    entry = ENTRY | {"download": {"split": 2, **options}, "split": {"val_fraction": 0.5}}
    sides = miniature.one_epoch("ucf101", entry)
    assert Counter(sides.values()) == {"train": 4, "val": 4, "test": 4}


def test_a_miniature_through_the_stages(clips):
    one_epoch(media="UCF-101")
    table = miniature.table("ucf101")
    assert {row["group"] for row in table if row["split"] == "test"} == {
        f"{name}_g0{group}" for name in CLASSES for group in (1, 2)
    }


def test_out_of_the_rar(clips, tmp_path):
    need_libarchive()
    films = {p.relative_to(clips).as_posix(): p.read_bytes() for p in sorted(clips.rglob("*.avi"))}
    (tmp_path / "ucf").mkdir()
    whole = {f"UCF-101/{name}": film for name, film in films.items()}
    whole["UCF-101/Bowling/v_Bowling_g01_c01.avi"] = b"in no list of this split"
    rared(tmp_path / "ucf/UCF101.rar", whole)
    one_epoch(media="ucf", unpack=True)
    there = (tmp_path / "ucf").rglob("*.avi")
    assert {p.relative_to(tmp_path / "ucf").as_posix(): p.read_bytes() for p in there} == films
