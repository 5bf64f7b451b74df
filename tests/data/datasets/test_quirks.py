"""Quirks of the published lists: each is there in the real bytes, and none reaches a sample."""

import miniature
import pytest

from equipoise.data import published, tombert
from equipoise.data.datasets import crema_d, kinetics_sounds, mmsd, nvgesture

OGM = "1001_DFA_ANG_XX,ANG\r\n1001_IEO_NEU_XX,NEU\r\n"
GESTURE = (
    "path:./Video_data/class_01/subject3_r0 depth:sk_depth:146:226 color:sk_color:146:226 "
    "duo_left:duo_left:170:263 label:1 "
)
TWEET = "0\t2\t17_06_1.jpg\tsee $T$\tParis\n"


def ids(items):
    return [getattr(item, "sample_id", item) for item in items]


def tcmax(lines):
    return kinetics_sounds.parse(lines, "train", "here")


#: Quirk to a list that has it, whether its bytes do, and the samples of it.
QUIRKS = {
    "line ends of Windows": (
        "crema-d-ogm-ge-train", OGM, lambda b: b.count(b"\r\n") == b.count(b"\n") > 1,
        lambda lines: crema_d.parse(lines, "here"),
    ),
    "a header in one of two lists": (
        "crema-d-relearn-test", "name,label\r\n" + OGM, lambda b: b.startswith(b"name,label\r\n"),
        lambda lines: crema_d.parse(lines, "here"),
    ),
    "no header in the other": (
        "crema-d-relearn-train", OGM.replace("\r", ""),
        lambda b: b"\r" not in b and not b.startswith(b"name"),
        lambda lines: crema_d.parse(lines, "here"),
    ),
    "a blank between name and word": (
        "crema-d-mla-train", "1001_DFA_ANG_XX.flv Anger\n", lambda b: b".flv " in b,
        lambda lines: crema_d.parse(lines, "here"),
    ),
    "a blank at the end of each line": (
        "nvgesture-v2-train", GESTURE + "\n", lambda b: all(
            line.endswith(b" ") for line in b.splitlines()),
        lambda lines: nvgesture.parse(lines, "train", "here"),
    ),
    "no line end behind the last line": (
        "nvgesture-v1-train", GESTURE, lambda b: not b.endswith(b"\n"),
        lambda lines: nvgesture.parse(lines, "train", "here"),
    ),
    "four names for five columns": (
        "twitter15-test", "index\t#1 ImageID\t#2 String\t#2 String\n" + TWEET,
        lambda b: len(b.split(b"\n")[0].split(b"\t")) == 4 and b.split(b"\n")[1].count(b"\t") == 4,
        lambda lines: tombert.parse(lines, "test", "here"),
    ),
    "Python literals": (
        "mmsd-val", "['1', \"it's\", 1, 0]\r\n", lambda b: b.startswith(b"["),
        lambda lines: mmsd.parse(lines, "val", "human", "here"),
    ),
    "a byte order mark": (
        "kinetics-sounds-tcmax-train", None, lambda b: b.startswith(b"\xef\xbb\xbf"), tcmax,
    ),
}  # fmt: skip


def clean(content, items):
    assert items and all(not set("\ufeff\r\n ") & set(str(name)) for name in ids(items))
    assert len(set(ids(items))) == len(items)


@pytest.mark.parametrize("quirk", QUIRKS)
def test_the_real_list_has_the_quirk_and_its_samples_have_not(quirk):
    name, _, has, parse = QUIRKS[quirk]
    content = miniature.real(name, split_lines=False)
    assert has(content)
    clean(content, parse(published.split_lines(content)))


@pytest.mark.parametrize("quirk", [name for name, row in QUIRKS.items() if row[1]])
def test_the_same_quirk_made_here(quirk):
    _, text, has, parse = QUIRKS[quirk]
    assert has(text.encode())
    clean(text, parse(published.split_lines(text.encode())))
    clean(text, parse(published.split_lines(b"\xef\xbb\xbf" + text.encode())))


@pytest.mark.parametrize("name", crema_d.SIDES)
def test_every_list_of_crema_d_has_as_many_clips_as_published(name):
    counts = {"relearn": {"train": 5954, "val": 744, "test": 744}}
    for side, count in counts.get(name, {"train": 6698, "test": 744}).items():
        key = f"crema-d-{name.replace('_', '-')}-{side}"
        assert len(set(crema_d.parse(miniature.real(key), key))) == count
