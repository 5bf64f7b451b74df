"""nvgesture: the real lists by their counts, a miniature through the stages."""

import subprocess
from collections import Counter

import miniature
import numpy as np
import pytest
from made_archives import need_libarchive, sevened

from equipoise import layout
from equipoise.data.datasets import nvgesture
from equipoise.errors import UserError
from equipoise.media.ffmpeg import binary

ENTRY = {
    "modalities": {
        "color": {"kind": "frames", "pick": {"even": 2}, "size": 8},
        "depth": {"kind": "frames", "pick": {"even": 2}, "size": 8, "channels": 1},
        "flow": {
            "kind": "flow",
            "column": "color",
            "pick": {"every": 0.04, "count": 2},
            "size": 32,
        },
    },
    "encoders": dict.fromkeys(("color", "depth", "flow"), "conv_frames"),
}


def real(version):
    return {
        side: nvgesture.parse(miniature.real(f"nvgesture-{version}-{side}"), side, side)
        for side in ("train", "test")
    }


def test_counts_of_the_real_lists():
    first, second = real("v1"), real("v2")
    changed = {}
    for side, rows, people in (("train", 1050, 12), ("test", 482, 6)):
        assert len(first[side]) == len(second[side]) == rows
        assert len({item.group for item in second[side]}) == people
        labels = {item.sample_id: item.label for item in first[side]}
        changed[side] = sum(labels[item.sample_id] != item.label for item in second[side])
        assert all(item.sample_id.startswith(item.label) for item in first[side])
        ranges = [tuple(map(int, v.split(":"))) for i in first[side] for v in i.cells.values()]
        assert {end - start for start, end in ranges} == {80}
        assert max(end for _, end in ranges) <= 330
    assert changed == {"train": 15, "test": 8}
    assert not {i.group for i in second["train"]} & {i.group for i in second["test"]}


LINE = "path:./Video_data/class_{c:02d}/subject{s}_r0 depth:sk_depth:{d} color:sk_color:{v} "
LINE += "duo_left:duo_left:1:9 label:{label} "


def line(c=1, s=3, d="2:7", v="3:8", label=1):
    return LINE.format(c=c, s=s, d=d, v=v, label=label)


@pytest.mark.parametrize("bad", [line(label=26), line(label=0), line(d="2"), ""])
def test_a_bad_line_is_named(bad):
    with pytest.raises(UserError, match="mine: line 2: "):
        nvgesture.parse([line(), bad], "train", "mine")


def film(path, number, frames=12):
    """MPEG-4 in AVI; frame n has luma 16 + 15 n, so that a frame says which one it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = f"color=black:s=32x32:r=25,format=yuv420p,trim=end_frame={frames},"
    picture += f"geq=lum='16+{4 * number}+15*N':cb=128:cr=128"
    miniature.ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "mpeg4", "-q:v", "1", path)


def test_exactly_the_frames_of_the_list_are_cut_out(tmp_path):
    film(tmp_path / "a.avi", 0)
    nvgesture.cut(tmp_path / "a.avi", tmp_path / "a.mkv", "3:8")
    command = [binary(), "-v", "error", "-i", tmp_path / "a.mkv", "-f", "rawvideo"]
    raw = subprocess.run([*command, "-pix_fmt", "gray", "pipe:1"], capture_output=True).stdout
    luma = np.frombuffer(raw, np.uint8).reshape(-1, 32 * 32).mean(1)
    expected = [(15 * n) * 255 / 219 for n in range(3, 8)]  # of 16..235 to 0..255
    np.testing.assert_allclose(luma, expected, atol=3)
    with pytest.raises(UserError, match=r"a\.avi: frames 3:14 cannot be cut out"):
        nvgesture.cut(tmp_path / "a.avi", tmp_path / "b.mkv", "3:14")
    assert not (tmp_path / "b.mkv").exists()


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """Lists of v2, and twelve recordings as published in tmp_path/nv."""
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    number = 0
    for side, people in (("train", (3, 4, 5, 6)), ("test", (1, 2))):
        text = ""
        for person in people:
            for gesture in (1, 2):
                number += 1
                label = 3 - gesture if person == 1 else gesture  # not that of the folder
                text += line(gesture, person, label=label) + "\n"
                folder = tmp_path / f"nv/Video_data/class_{gesture:02d}/subject{person}_r0"
                film(folder / "sk_depth.avi", number)
                miniature.moving(folder / "sk_color.avi", number)
        lists.put(f"nvgesture-v2-{side}", text)
    return tmp_path / "nv"


def one_epoch(**options):
    entry = ENTRY | {"download": options, "split": {"val_fraction": 0.5}}
    sides = miniature.one_epoch("nvgesture", entry)
    assert Counter(sides.values()) == {"train": 4, "val": 4, "test": 4}
    return {row["sample_id"]: row for row in miniature.table("nvgesture")}


def test_a_miniature_through_the_stages(recordings):
    row = one_epoch(media="nv")["class_01_subject1_r0"]
    assert (row["label"], row["group"], row["color_frames"]) == ("class_02", "subject1", "3:8")
    assert row["depth"] == "media/Video_data/class_01/subject1_r0/sk_depth.mkv"
    assert (layout.raw("nvgesture")["manifest"].parent / row["depth"]).is_file()


def test_out_of_the_parts_of_a_7z(recordings, tmp_path):
    need_libarchive()
    films = {
        p.relative_to(recordings).as_posix(): p.read_bytes()
        for p in sorted(recordings.rglob("*.avi"))
    }
    others = {"Video_data/class_01/subject3_r0/duo_left.avi": b"a camera that is not used"}
    whole = sevened(tmp_path / "all.7z", films | others).read_bytes()
    (tmp_path / "parts").mkdir()
    size = len(whole) // 3 + 1
    for part in range(3):
        name = f"nvGesture_v1.7z.{part + 1:03d}"
        (tmp_path / "parts" / name).write_bytes(whole[part * size : (part + 1) * size])
    settings = nvgesture.Settings(media=str(tmp_path / "elsewhere"), unpack=True)
    with pytest.raises(UserError, match=r"7z\.001: no such archive; ask NVIDIA"):
        nvgesture.download(tmp_path / "raw", settings)
    one_epoch(media="parts", unpack=True)
    there = (tmp_path / "parts").rglob("*.avi")
    assert {p.relative_to(tmp_path / "parts").as_posix(): p.read_bytes() for p in there} == films
