import pytest

from equipoise.data.manifest import read, scan
from equipoise.errors import UserError

GOOD = """sample_id,label,split,group,video,audio,corruption
a,cat,train,g1,clips/a.mp4,clips/a.mp4,
b,dog,,g 2,clips/b.mp4,"clips/b,2.wav",noise
"""


def manifest(folder, text):
    path = folder / "manifest.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def messages(folder, text):
    return [str(problem) for problem in scan(manifest(folder, text))[1]]


def test_reads_rows_in_order(tmp_path):
    table = read(manifest(tmp_path, GOOD))
    assert table.sources == ("video", "audio")
    assert table.classes == ["cat", "dog"]
    one, two = table.rows
    assert (one.number, one.sample_id, one.label, one.split, one.group) == (
        2,
        "a",
        "cat",
        "train",
        "g1",
    )
    assert two.sources == {"video": "clips/b.mp4", "audio": "clips/b,2.wav"}
    assert table.file(two, "audio") == tmp_path / "clips/b,2.wav"


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
        read(manifest(tmp_path, GOOD.replace(*change)))


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
            "no column names media; add one of video, audio, image",
        ),
        (b"sample_id,label\n1,a\n2,\xff\n", "row 3: not UTF-8 text"),
        (GOOD + 'c,"dog', "not a CSV table"),
    ],
)
def test_whole_table_faults(tmp_path, text, message):
    found = messages(tmp_path, text)
    assert any(message in line for line in found), found


def test_all_problems_at_once_and_a_count_in_the_error(tmp_path):
    text = GOOD.replace("b,dog", "a,").replace(",train,", ",trian,")
    assert len(messages(tmp_path, text)) >= 3
    with pytest.raises(UserError, match=r"row 2: unknown split .* \(and \d more\)"):
        read(manifest(tmp_path, text))


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path / "manifest.csv")


def test_samples_to_predict_need_a_name_and_media_only(tmp_path):
    text = "sample_id,audio,video,split\na,/far/a.wav,../b.mp4,\nb,,c:\\x.mp4,someday\n"
    table = read(manifest(tmp_path, text), labelled=False)
    assert table.sources == ("video", "audio")
    a, b = table.rows
    assert a.label == a.group == "" and b.split == "someday"
    assert str(table.file(a, "audio")) == "/far/a.wav"
    assert table.file(a, "video") == tmp_path / "../b.mp4"
    assert b.sources == {"video": "c:\\x.mp4"}
    with pytest.raises(UserError, match="column 'label' is missing"):
        read(manifest(tmp_path, text))
    with pytest.raises(UserError, match=r"row 3: sample_id 'a' is already used"):
        read(manifest(tmp_path, text.replace("\nb,", "\na,")), labelled=False)
