import csv
import os

import pytest

from equipoise.data import manifest as manifests
from equipoise.data import table as tables
from equipoise.data.splits import of_manifest, of_table
from equipoise.errors import UserError
from equipoise.params import Split

GOOD = """sample_id,label,split,group,video,note
a,cat,train,g1,clips/a.mp4,
b,dog,,g 2,clips/b.mp4,"two
lines"
"""


def write(folder, text):
    path = folder / "manifest.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def settle(path, seconds=60):
    """Let a file be as old as one that nobody writes any more; its inode is new all the same."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - seconds * 10**9))


def test_columns_are_those_of_the_rows(tmp_path):
    path = write(tmp_path, "\ufeff" + GOOD.replace("label,", " label ,"))
    table, manifest = tables.read(path), manifests.read(path)
    assert tuple(table.columns) == manifest.columns
    assert list(table.rows()) == [
        {
            "sample_id": row.sample_id,
            "label": row.label,
            "split": row.split,
            "group": row.group,
            **row.cells,
        }
        for row in manifest.rows
    ]
    assert table.columns["note"] == ["", "two\nlines"]
    assert list(table.others()) == ["video", "note"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\nb,", "\na,"),
        (",train,", ",trian,"),
        ("b,dog", "b,"),
        ("b,dog", ",dog"),
        ("b,dog", " ,dog"),
        ("b,dog", "b ,dog"),
        ("b,dog", "b,\tdog"),
        ("b,dog", "b,d\x07og"),
        ("g 2", "g 2 "),
        ("g 2", "g\u200b2"),
        ("b,dog", "b,cat"),
        ("clips/b.mp4,", "clips/b.mp4,,"),
        ("group", "grupo"),
        ("note", "video"),
        ('"two', 'x"two"y'),
        ('lines"', "lines"),
        (GOOD, ""),
        (GOOD, GOOD.splitlines()[0]),
        ("dog", b"d\xffg"),
    ],
)
def test_what_is_wrong_is_said_as_row_by_row(tmp_path, old, new):
    new = new if isinstance(new, bytes) else new.encode()
    path = write(tmp_path, GOOD.encode().replace(old.encode(), new))
    manifest, problems = manifests.scan(path)
    if manifest is not None and not problems:  # csv takes a quote within a cell as it stands
        assert tables.read(path).sound
        return
    with pytest.raises(UserError) as expected:
        manifests.read(path)
    with pytest.raises(UserError) as found:
        tables.read(path)
    assert str(found.value) == str(expected.value)


def test_no_file_and_a_pipe(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        tables.read(tmp_path / "manifest.csv")
    os.mkfifo(tmp_path / "manifest.csv")
    with pytest.raises(UserError, match="no regular file"):
        tables.read(tmp_path / "manifest.csv")


def test_rows_beyond_one_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_CHUNK", 3)
    rows = [[f"s{n}", "ab"[n % 2], "", f"g{n}", f"{n}.wav"] for n in range(10)]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["sample_id", "label", "split", "group", "audio"], *rows])
    columns = tables.read(tmp_path / "manifest.csv").columns
    assert list(map(list, zip(*columns.values(), strict=True))) == rows


def test_a_settled_file_is_read_once_and_a_changed_one_again(tmp_path, monkeypatch):
    path = write(tmp_path, GOOD)
    assert tables.parse(path) is not tables.parse(path)  # may change within the tick of its times
    monkeypatch.setattr(tables, "RACY_NS", -(10**18))
    first = tables.parse(path)
    assert tables.parse(path) is first
    settle(write(tmp_path, GOOD.replace("cat", "cow")))
    assert tables.parse(path).columns["label"] == ["cow", "dog"]


@pytest.mark.parametrize("protocol", ["random", "group_disjoint"])
def test_the_split_of_columns_is_that_of_rows(tmp_path, protocol):
    rows = [f"s{n:03d},{'cab'[n % 3]},,{'zyxw'[n % 4]}{n % 7},{n}.wav" for n in range(120)]
    path = write(tmp_path, "\n".join(["sample_id,label,split,group,audio", *rows]))
    settings = Split(protocol=protocol)
    sides = of_table(tables.read(path), settings)
    assert sides == of_manifest(manifests.read(path), settings)
    assert set(sides) == {"train", "val", "test"}
