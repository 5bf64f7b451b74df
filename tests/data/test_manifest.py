from pathlib import Path

import pytest

from equipoise.data.manifest import Column, read, scan
from equipoise.errors import UserError

GOOD = """sample_id,label,split,group,video,audio,corruption
a,cat,train,g1,clips/a.mp4,clips/a.mp4,
b,dog,,g 2,clips/b.mp4,"clips/b,2.wav",noise
"""


COLUMNS = {"film": Column("video"), "sound": Column("audio")}


def manifest(folder, text):
    path = folder / "manifest.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def messages(folder, text):
    return [str(problem) for problem in scan(manifest(folder, text), COLUMNS)[1]]


def test_reads_rows_in_order(tmp_path):
    table = read(manifest(tmp_path, GOOD), COLUMNS)
    assert table.modalities == COLUMNS and table.columns[4:] == ("video", "audio", "corruption")
    assert table.classes == ["cat", "dog"]
    one, two = table.rows
    assert (one.number, one.sample_id, one.label, one.split, one.group) == (
        2,
        "a",
        "cat",
        "train",
        "g1",
    )
    sources = {"film": tmp_path / "clips/b.mp4", "sound": tmp_path / "clips/b,2.wav"}
    assert table.sources(two) == sources and two.cells["corruption"] == "noise"
    assert table.paths(one) == ["clips/a.mp4"]


def test_accepts_what_spreadsheets_write(tmp_path):
    text = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode() + b"\r\n"
    assert read(manifest(tmp_path, text)).rows == read(manifest(tmp_path, GOOD)).rows


@pytest.mark.parametrize(
    ("change", "row", "message"),
    [
        (("\nb,", "\na,"), 3, "sample_id 'a' is already used in row 2"),
        ((",train,", ",trian,"), 2, "unknown split 'trian'; did you mean 'train'?"),
        (("b,dog", "b,"), 3, "label is empty"),
        (("b,dog", ",dog"), 3, "sample_id is empty"),
        (("clips/a.mp4,clips", ",clips"), 2, "video is empty"),
        (("clips/b.mp4", "/etc/passwd"), 3, "video '/etc/passwd' leads out of the folder"),
        (("clips/b.mp4", "clips/../../b.mp4"), 3, "leads out of the folder"),
        (("clips/b.mp4", "c:\\b.mp4"), 3, "leads out of the folder"),
        (("b,dog", " b,dog"), 3, "sample_id ' b' has spaces around it"),
        (("b,dog", '"b\nc",dog'), 4, "has a control character or a line break"),
        ((",noise", ",noise,more"), 3, "8 cells where the header has 7"),
    ],
)
def test_row_faults(tmp_path, change, row, message):
    found = messages(tmp_path, GOOD.replace(*change))
    assert any(line.startswith(f"row {row}: ") and message in line for line in found), found
    with pytest.raises(UserError, match=f"manifest.csv: row {row}"):
        read(manifest(tmp_path, GOOD.replace(*change)), COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the manifest is empty"),
        (GOOD.splitlines()[0] + "\n", "no rows"),
        (GOOD.replace("dog", "cat"), "one class only ('cat')"),
        (GOOD.replace("group", "grouup"), "column 'group' is missing; did you mean 'grouup'?"),
        (GOOD.replace("group,", "label,"), "column 'label' stands there twice"),
        (
            GOOD.replace("video", "vid").replace("audio", "sound"),
            "column 'video' of modality 'film' is missing; did you mean 'vid'?",
        ),
        (b"sample_id,label\n1,a\n2,\xff\n", "row 3: not UTF-8 text"),
        (GOOD + 'c,"dog', "not a CSV table"),
        (GOOD.replace(",", ";"), "row 1: semicolons between the cells; save the table with commas"),
        (GOOD.replace(",", "\t"), "row 1: tabs between the cells; save the table with commas"),
    ],
)
def test_whole_table_faults(tmp_path, text, message):
    found = messages(tmp_path, text)
    assert any(message in line for line in found), found


def test_all_problems_at_once_and_a_count_in_the_error(tmp_path):
    text = GOOD.replace("b,dog", "a,").replace(",train,", ",trian,")
    assert len(messages(tmp_path, text)) >= 3
    with pytest.raises(UserError, match=r"row 2: unknown split .* \(and \d more\)"):
        read(manifest(tmp_path, text), COLUMNS)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path / "manifest.csv")


def test_the_manifest_in_place_of_its_folder(tmp_path):
    with pytest.raises(UserError, match=r"is a file; name the folder that holds manifest\.csv$"):
        read(manifest(tmp_path, GOOD) / "manifest.csv")


def test_samples_to_predict_need_a_name_and_media_only(tmp_path):
    text = "sample_id,audio,video,split\na,/far/a.wav,../b.mp4,\nb,,c:\\x.mp4,someday\n"
    table = read(manifest(tmp_path, text), COLUMNS, labelled=False)
    a, b = table.rows
    assert a.label == a.group == "" and b.split == "someday"
    assert table.sources(a) == {"sound": Path("/far/a.wav"), "film": tmp_path / "../b.mp4"}
    assert table.sources(b) == {"film": tmp_path / "c:\\x.mp4"}
    with pytest.raises(UserError, match="column 'label' is missing"):
        read(manifest(tmp_path, text), COLUMNS)
    with pytest.raises(UserError, match=r"row 3: sample_id 'a' is already used"):
        read(manifest(tmp_path, text.replace("\nb,", "\na,")), COLUMNS, labelled=False)


def test_a_text_may_hold_what_a_path_must_not(tmp_path):
    text = 'sample_id,label,split,group,words\na,x,,,"two\nlines, ../etc"\nb,y,,, spaced \n'
    columns = {"caption": Column("words", inline=True)}
    table = read(manifest(tmp_path, text), columns)
    assert [table.sources(row) for row in table.rows] == [
        {"caption": "two\nlines, ../etc"},
        {"caption": " spaced "},
    ]
    assert table.paths(table.rows[0]) == [] and table.file_columns() == []
    with pytest.raises(UserError, match="words is empty"):
        read(manifest(tmp_path, text.replace(" spaced ", " ")), columns)


def test_columns_of_files_are_those_whose_files_are_there(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/b.mp4").write_bytes(b"x")
    assert read(manifest(tmp_path, GOOD)).file_columns() == ["video"]
