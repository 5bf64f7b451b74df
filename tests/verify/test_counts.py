"""Counts of a data set: every file against every other, and against the published list."""

import json
from pathlib import Path

import pytest

from equipoise import cli, files, layout, vouch
from equipoise.data import published, recipes
from equipoise.errors import UserError
from equipoise.verify import counts


def table(path, header, *rows):
    files.write_csv(path, header, (dict(zip(header, row, strict=True)) for row in rows))


@pytest.fixture
def ave(tmp_path, monkeypatch):
    """All of ``ave`` as published, two clips absent: 4,113 rows, of which three were rejected."""
    monkeypatch.chdir(tmp_path)
    sides = ["train"] * 3311 + ["val"] * 401 + ["test"] * 401
    raw, features = layout.raw("ave"), layout.features("ave")
    for place in (raw["manifest"], features["record"], layout.split("ave")["split"]):
        place.parent.mkdir(parents=True)
    rows = [(f"s{n}", "ab"[n % 2], side) for n, side in enumerate(sides)]
    table(raw["manifest"], ("sample_id", "label", "split"), *rows)
    table(layout.split("ave")["split"], ("sample_id", "subset"), *[r[::2] for r in rows[3:]])
    table(features["rejects"], ("sample_id", "path", "reason"), *[(f"s{n}", "", "") for n in "012"])
    absent = {"split": {"train": 1, "test": 1}, "label": {"a": 2}}
    vouch.write(raw["manifest"].with_name("coverage.json"), {"absent": absent})
    record = {
        "manifest_rows": 4113,
        "samples": 4110,
        "rejects": 3,
        "classes": {"a": 2055, "b": 2055},
    }
    vouch.write(features["record"], record)
    return record


def found(**download):
    return list(counts.problems("ave", download))


def test_what_adds_up_is_no_problem(ave):
    assert found() == [] == found(repeated="last")


def test_the_published_list_is_the_one_of_the_options(ave):
    assert found(repeated="all") == [
        "data/raw/ave/manifest.csv: 3311 samples of train and 1 absent, but the published list has "
        "3339; run stage download again",
        "data/raw/ave/manifest.csv: 401 samples of val and 0 absent, but the published list has "
        "402; run stage download again",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rejects": 4}, ["rejects.csv: 3 rows, but", "samples and rejects are not manifest_rows"]),
        ({"manifest_rows": 4114}, ["manifest.csv: 4113 rows, but", "are not manifest_rows"]),
        ({"classes": {"a": 1}}, ["the classes do not add up to samples"]),
    ],
)
def test_each_count_is_compared(ave, change, said):
    vouch.write(layout.features("ave")["record"], ave | change)
    lines = found()
    assert len(lines) == len(said)
    assert all(words in line for words, line in zip(said, lines, strict=True)), lines


def test_a_cut_split_is_noticed(ave):
    path = layout.split("ave")["split"]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-7]))
    (line,) = found()
    assert line.startswith("data/splits/ave/split.csv: 4103 rows, but data/features/ave/extract")


def test_nothing_there_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="run stage download of 'ave' first"):
        found()


@pytest.mark.parametrize(
    ("name", "download", "expected"),
    [
        ("crema_d", {"list": "relearn"}, {"train": 5954, "val": 744, "test": 744}),
        ("crema_d", {"list": "mla"}, {"train": 6698, "test": 744}),
        ("crema_d", {"list": "actors"}, {}),  # as many clips as the actors have
        ("ucf101", {"split": 2, "allow_missing": 1}, {"train": 9586, "test": 3734}),
        ("nvgesture", {"list": "v2"}, {"train": 1050, "test": 482}),
        ("mmsd", {"label": "hashtag"}, {"train": 19816, "val": 2410, "test": 2409}),
        ("vggsound", {}, {"train": 183730, "test": 15446}),
        ("keypad", {}, {}),
    ],
)
def test_counts_are_those_of_the_list(name, download, expected):
    assert counts.expected(name, download) == expected


def test_a_data_set_is_verified_by_its_name(ave, capsys):
    streams = {"video": {"like": "ours"}, "audio": {"like": "ours"}}
    tree = {"datasets": {"ave": {"modalities": streams}}, "seeds": [0],
            "methods": {"from_scratch": {"joint": {}}}}  # fmt: skip
    Path("params.yaml").write_text(json.dumps(tree))
    layout.raw("ave")["checksums"].write_text(f"{64 * '0'}  media/x.mp4\n")
    vouch.write(layout.features("ave")["record"], ave, layout.features("ave")["rejects"])
    Path("ave").mkdir()  # the folder that a user calls as the data set
    assert cli.main(["verify", "ave"]) == 1
    said = capsys.readouterr().out
    assert "data/raw/ave/media/x.mp4: missing" in said and said.endswith(
        "1 problem(s); read: 5 in the workspace\n"
    )
    assert cli.main(["verify", "aev"]) == 2


def test_what_is_here_is_listed(ave):
    raw = layout.raw("ave")
    raw["media"].mkdir()
    (raw["media"] / "x.mp4").write_bytes(b"12345")
    raw["checksums"].write_text(f"{64 * '0'}  media/x.mp4\n")
    vouch.write(layout.features("ave")["record"], ave | {"shapes": {"audio": [257, 625]}})
    layout.features("ave")["features"].write_bytes(b"123")
    here = recipes.describe()["ave"]
    assert here["on_disk"] == {
        "media_files": 1,
        "media_bytes": 5,
        "absent": 0,
        "extracted": {"samples": 4110, "rejects": 3, "shapes": {"audio": [257, 625]}, "bytes": 3},
        "card": False,
    }
    assert here["audit"] is None and recipes.describe()["crema_d"]["on_disk"] is None
    Path("results/audit").mkdir(parents=True)
    found = {"leaks": [{"by": "bytes"}, {"by": "content"}], "rejects": {"samples": 3}}
    vouch.write(Path("results/audit/ave.json"), found)
    assert recipes.describe()["ave"]["audit"] == {"leaks": 2, "rejects": {"samples": 3}}
    assert {"known", "access", "size", "licence", "lists", "presets"} <= here.keys()
    vouch.write(raw["manifest"].with_name(published.COVERAGE), {"samples": ["a", "b"]})
    said = recipes.shown(as_json=False, as_markdown=False).partition("\nave: ")[2]
    assert "    on disk: 1 files, 5 bytes, 2 listed samples absent, 4110 extracted\n" in said
    assert "    audit: leaks 2 (equipoise audit ave)\n" in said
