"""mmsd and mmsd2: the real lists by their counts, miniatures through the stages."""

import json
from collections import Counter
from types import SimpleNamespace

import miniature
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.data import published, room
from equipoise.data.datasets import mmsd, mmsd2
from equipoise.errors import UserError

#: Not sarcastic, sarcastic (shared counts of the published files, made with another reader).
COUNTS = {
    ("train", "human"): (11174, 8642),
    ("train", "hashtag"): (11174, 8642),
    ("val", "human"): (1451, 959),
    ("val", "hashtag"): (1410, 1000),
    ("test", "human"): (1450, 959),
    ("test", "hashtag"): (1404, 1005),
}
COUNTS_2 = {"train": (10240, 9576), "test": (1372, 1037)}
ENTRY = {
    "modalities": {
        "image": {"kind": "image", "size": 8},
        "text": {"kind": "text", "inline": True, "tokenizer": "bytes", "length": 16},
    },
    "encoders": {"image": "conv_frames", "text": "bag"},
}
#: 18 digits: as a float64 the last ones change.
FIRST = 862902619928506371


def counts(items):
    found = Counter(item.label for item in items)
    return found["not_sarcastic"], found["sarcastic"]


@pytest.mark.parametrize(("split", "label"), COUNTS)
def test_counts_of_the_real_lists(split, label):
    items = mmsd.parse(miniature.real(f"mmsd-{split}"), split, label, split)
    assert counts(items) == COUNTS[split, label]
    assert len({item.sample_id for item in items}) == len(items)
    assert all(item.sample_id.isdecimal() and item.cells["text"].strip() for item in items)


def test_people_and_hashtags_disagree_as_counted():
    for split, rows in (("val", 87), ("test", 144)):
        lines = miniature.real(f"mmsd-{split}")
        people, tags = (mmsd.parse(lines, split, label, "") for label in ("human", "hashtag"))
        assert sum(a.label != b.label for a, b in zip(people, tags, strict=True)) == rows


@pytest.mark.parametrize("split", COUNTS_2)
def test_counts_of_the_real_lists_of_mmsd2(split):
    items = mmsd2.parse("\n".join(miniature.real(f"mmsd2-{split}")), split)
    assert counts(items) == COUNTS_2[split]
    older = mmsd.parse(miniature.real(f"mmsd-{split}"), split, "human", "")
    assert {item.sample_id for item in items} == {item.sample_id for item in older}


def test_a_giveaway_is_a_word_not_a_part_of_one():
    texts = ("so # sarcasm", "jokester ironically", "see <url>", "see<url>x")
    lines = [repr([str(FIRST + n), text, 1]) for n, text in enumerate(texts)]
    kept = mmsd.parse(lines, "train", "human", "")
    assert [item.cells["text"] for item in kept] == ["jokester ironically", "see<url>x"]
    assert len(mmsd.parse(lines, "val", "human", "")) == 4


@pytest.mark.parametrize(
    "line", ["['1', 'a']", "['1', 'a', 2]", "__import__('os').getcwd()", "['1', 'a', 1"]
)
def test_a_line_that_is_no_literal_is_named(line):
    with pytest.raises(UserError, match="mine: line 2: "):
        mmsd.parse(["['1', 'a', 0]", line], "val", "human", "mine")


def texts(split):
    """Twelve tweets with CRLF ends; the id of each is a number that float64 cannot hold."""
    start = FIRST + {"train": 0, "val": 100, "test": 200}[split]
    return {str(start + 2 * n): (f'it \'s tweet {n} "quoted" emoji_{n}', n % 2) for n in range(12)}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    for split in ("train", "val", "test"):
        rows = texts(split)
        labels = {k: [1 - v, v] if split != "train" else [v] for k, (_, v) in rows.items()}
        lines = [repr([key, text, *labels[key]]) for key, (text, _) in rows.items()]
        lists.put(f"mmsd-{split}", "".join(f"{line}\r\n" for line in lines))
        new = [{"image_id": int(k), "text": t, "label": v} for k, (t, v) in rows.items()]
        lists.put(f"mmsd2-{split}", json.dumps(new))
        for number, key in enumerate(rows):
            miniature.picture(tmp_path / f"images/{key}.jpg", number)
    return tmp_path


def check(dataset, download):
    sides = miniature.one_epoch(dataset, ENTRY | {"download": download})
    assert Counter(sides.values()) == {"train": 12, "val": 12, "test": 12}
    table = {row["sample_id"]: row for row in miniature.table(dataset)}
    for split in ("train", "val", "test"):
        for key, (text, label) in texts(split).items():
            assert (table[key]["text"], table[key]["label"]) == (text, mmsd.LABELS[label])
            assert table[key]["image"] == f"media/{key}.jpg"


def test_a_miniature_of_mmsd_through_the_stages(project):
    check("mmsd", {"media": "images"})


def test_a_miniature_of_mmsd2_from_parquet_through_the_stages(project):
    keys = [key for split in ("train", "val", "test") for key in texts(split)]
    write_parquet(project / "hub/mmsd-v2/train-00000.parquet", project, keys[:20])
    write_parquet(project / "hub/mmsd-v2/test-00000.parquet", project, [*keys[20:], "../../out"])
    check("mmsd2", {"media": "hub"})
    assert not list(project.rglob("out.jpg"))


def write_parquet(path, project, keys):
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [project / f"images/{key}.jpg" for key in keys]
    cells = [{"bytes": p.read_bytes() if p.exists() else b"x", "path": p.name} for p in images]
    pq.write_table(pa.table({"id": keys, "image": cells, "text": ["t"] * len(keys)}), path)


def test_parquet_without_pictures_is_named(project, tmp_path):
    path = project / "hub/wrong.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"text": ["a"]}), path)
    with pytest.raises(UserError, match=r"wrong\.parquet: no parquet file with columns id and ima"):
        mmsd2.download(tmp_path / "out", mmsd2.Settings(media=str(project / "hub")))


@pytest.mark.parametrize("image", ["https://example.org/1.jpg", 7, {"bytes": "text"}])
def test_parquet_with_something_else_for_pictures_is_one_line(project, tmp_path, image):
    (project / "hub").mkdir()
    pq.write_table(pa.table({"id": ["1"], "image": [image]}), project / "hub/a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet: .* \(image of '1' is not of bytes\)"):
        mmsd2.download(tmp_path / "out", mmsd2.Settings(media=str(project / "hub")))


def test_damaged_parquet_is_one_line(project, tmp_path):
    path = project / "hub/a.parquet"
    write_parquet(path, project, list(texts("train")))
    whole = path.read_bytes()
    path.write_bytes(whole[:20] + bytes(30) + whole[50:])
    with pytest.raises(UserError, match=r"a\.parquet: no parquet file") as caught:
        mmsd2.download(tmp_path / "out", mmsd2.Settings(media=str(project / "hub")))
    assert "\n" not in str(caught.value)


def test_room_for_the_pictures_is_looked_at_before(project, tmp_path, monkeypatch):
    keys = [key for split in ("train", "val", "test") for key in texts(split)]
    write_parquet(project / "hub/a.parquet", project, keys)
    held = (project / "hub/a.parquet").stat().st_size
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: SimpleNamespace(free=held - 1))
    with pytest.raises(UserError, match=f"out: about {held} bytes are still to come"):
        mmsd2.download(tmp_path / "out", mmsd2.Settings(media=str(project / "hub")))


def test_a_picture_that_parquet_lacks_is_counted(project, tmp_path):
    keys = [key for split in ("train", "val", "test") for key in texts(split)]
    write_parquet(project / "hub/a.parquet", project, keys[1:])
    with pytest.raises(UserError, match="1 of 36 listed samples have no file"):
        mmsd2.download(tmp_path / "out", mmsd2.Settings(media=str(project / "hub")))
    settings = mmsd2.Settings(media=str(project / "hub"), allow_missing=1)
    mmsd2.download(tmp_path / "out", settings)
    report = json.loads((tmp_path / "out" / published.COVERAGE).read_text())
    assert report["samples"] == keys[:1]
