"""twitter15 and twitter17: the real lists by their counts, a miniature through the stages."""

import json
from collections import Counter

import miniature
import pytest
from made_archives import zipped

from equipoise.data import published, tombert
from equipoise.data.datasets import twitter15
from equipoise.errors import UserError

#: Rows with label 0, 1, 2 (shared counts of the published files, made with another reader).
COUNTS = {
    "twitter15-train": (368, 1883, 928),
    "twitter15-dev": (149, 670, 303),
    "twitter15-test": (113, 607, 317),
    "twitter17-train": (416, 1638, 1508),
    "twitter17-dev": (144, 517, 515),
    "twitter17-test": (168, 573, 493),
}
IMAGES = {"twitter15": 3502, "twitter17": 2908}
TRAIN = "index\t#1 Label\t#2 ImageID\t#3 String\t#3 String\n"
TEST = "index\t#1 ImageID\t#2 String\t#2 String\n"
ENTRY = {
    "modalities": {
        "image": {"kind": "image", "size": 8},
        "text": {"kind": "text", "column": "template", "inline": True, "tokenizer": "bytes"}
        | {"length": 16},
    },
    "encoders": {"image": "conv_frames", "text": "bag"},
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_the_real_lists(name):
    found = Counter(item.label for item in tombert.parse(miniature.real(name), "train", name))
    assert found == dict(zip(("negative", "neutral", "positive"), COUNTS[name], strict=True))


@pytest.mark.parametrize("dataset", IMAGES)
def test_pictures_and_leaks_of_the_real_lists(dataset):
    sides = {
        split: tombert.parse(miniature.real(f"{dataset}-{split}"), split, split)
        for split in ("train", "dev", "test")
    }
    items = [item for side in sides.values() for item in side]
    assert len({item.media["image"] for item in items}) == IMAGES[dataset]
    assert len({item.sample_id for item in items}) == len(items)
    assert all(tombert.MARK in item.cells["template"] for item in items)
    shared = {i.group for i in sides["train"]} & {i.group for i in sides["test"]}
    assert len(shared) == {"twitter15": 0, "twitter17": 1}[dataset]


def line(number, label, image, template="I like $T$ . # nice", target="Rome"):
    return f"{number}\t{label}\t{image}\t{template}\t{target}\n"


def test_the_header_of_the_test_list_is_not_believed():
    (item,) = tombert.parse(
        published.split_lines((TEST + line(1, 2, "7.jpg")).encode()), "test", ""
    )
    assert (item.label, item.media, item.sample_id) == ("positive", {"image": "7.jpg"}, "test-1")
    assert item.cells["sentence"] == "I like Rome . # nice"


@pytest.mark.parametrize(
    "bad", [line(1, 3, "7.jpg"), "1\t2\t7.jpg\tno target\n", line(1, -1, "7.jpg")]
)
def test_a_bad_line_is_named(bad):
    with pytest.raises(UserError, match="mine: line 3: five columns"):
        tombert.parse([TRAIN, line(1, 0, "a.jpg").strip("\n"), bad.strip("\n")], "train", "mine")


def test_quotes_and_other_line_ends_are_text():
    text = 'say " $T$ \u2028 twice'
    content = published.split_lines((TRAIN + line(1, 0, "7.jpg", text, '"x')).encode())
    (item,) = tombert.parse(content, "train", "")
    assert item.cells["template"] == text and item.cells["target"] == '"x'


@pytest.fixture
def project(tmp_path, monkeypatch):
    return published_as("twitter15", "twitter2015_images", tmp_path, monkeypatch)


def published_as(dataset, folder, tmp_path, monkeypatch):
    """Two pictures a class and side; the list has two targets of one picture."""
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    number = 0
    for name in ("train", "dev", "test"):
        text = TEST if name == "test" else TRAIN
        for label in (0, 1, 2, 0, 1, 2):
            number += 1
            text += line(number, label, f"{number}.jpg", f"tweet {number} on $T$")
            miniature.picture(tmp_path / f"{folder}/{number}.jpg", number)
        lists.put(f"{dataset}-{name}", text + line(99, 0, f"{number}.jpg", "again $T$"))
    return tmp_path


@pytest.mark.parametrize(
    ("dataset", "folder"),
    [("twitter15", "twitter2015_images"), ("twitter17", "twitter2017_images")],
)
def test_a_miniature_through_the_stages(dataset, folder, tmp_path, monkeypatch):
    published_as(dataset, folder, tmp_path, monkeypatch)
    sides = miniature.one_epoch(dataset, {**ENTRY, "download": {"media": folder}})
    assert Counter(sides.values()) == {"train": 7, "val": 7, "test": 7}
    row = miniature.table(dataset)[0]
    assert row["image"] == "media/1.jpg" and row["template"] == "tweet 1 on $T$"


def test_out_of_the_zip_with_both_folders(project):
    """Pictures of the other data set have the same names there; they are not taken for these."""
    (project / "tweets").mkdir()
    pictures = {p.name: p.read_bytes() for p in (project / "twitter2015_images").iterdir()}
    both = {f"IJCAI2019_data/twitter2017_images/{name}": b"another" for name in pictures}
    both |= {f"IJCAI2019_data/twitter2015_images/{name}": data for name, data in pictures.items()}
    zipped(project / "tweets" / tombert.ARCHIVE, both)
    twitter15.download(project / "raw", twitter15.Settings(media="tweets", unpack=True))
    there = {p.name: p.read_bytes() for p in (project / "raw/media").iterdir()}
    assert there == pictures


def take(project, tmp_path, **options):
    settings = twitter15.Settings(media=str(project / "twitter2015_images"), **options)
    twitter15.download(tmp_path / "out", settings)
    return tmp_path / "out"


def test_absent_pictures_are_counted_and_reported(project, tmp_path):
    (project / "twitter2015_images/2.jpg").unlink()
    (project / "twitter2015_images/6.jpg").unlink()  # two rows of the list
    with pytest.raises(
        UserError, match=r"3 of 21 listed samples have no file, first 2.jpg"
    ) as said:
        take(project, tmp_path)
    assert "Drive" in str(said.value)
    report = json.loads((take(project, tmp_path, allow_missing=3) / "coverage.json").read_text())
    assert report["listed"] == {"samples": 21, "split": {"test": 7, "train": 7, "val": 7}}
    assert report["absent"] == {
        "split": {"train": 3},
        "label": {"negative": 1, "neutral": 1, "positive": 1},
    }
    assert report["samples"] == ["train-2", "train-6", "train-99"]
    miniature.picture(project / "twitter2015_images/2.jpg", 2)
    miniature.picture(project / "twitter2015_images/6.jpg", 6)
    assert not (take(project, tmp_path) / "coverage.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>Google Drive - Quota exceeded</html>", "web page"),
        (b"", "empty"),
    ],
)
def test_what_is_no_picture_is_refused_even_where_absence_is_allowed(
    project, tmp_path, content, said
):
    (project / "twitter2015_images/2.jpg").write_bytes(content)
    with pytest.raises(UserError, match=f"1 file.s. are no media; first .*2.jpg: {said}"):
        take(project, tmp_path, allow_missing=21)


def test_a_lost_class_is_refused(project, tmp_path):
    for number in (2, 5, 8, 11, 14, 17):
        (project / f"twitter2015_images/{number}.jpg").unlink()
    with pytest.raises(UserError, match="no sample of label 'neutral'"):
        take(project, tmp_path, allow_missing=21)


@pytest.mark.parametrize("media", ["", "nowhere"])
def test_without_a_folder_it_is_said_what_to_do(project, tmp_path, media):
    with pytest.raises(UserError, match=r"Google Drive.*download\.media the folder with 1\.jpg"):
        twitter15.download(tmp_path / "out", twitter15.Settings(media=media))
