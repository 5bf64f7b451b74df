import csv

import pytest
from media_files import ffmpeg, numbered

from equipoise.data import check as checks
from equipoise.data.folder import Settings, download
from equipoise.errors import UserError

TABLES = {"video": {"kind": "frames", "column": "video", "pick": {"even": 4}, "size": 32}}
HEADER = ["sample_id", "label", "split", "group", "video", "note"]


def write(folder, rows):
    folder.mkdir(exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return folder


def check(*arguments):
    return checks.check(*arguments).problems


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """Six clips of 3 to 8 numbered frames."""
    folder = tmp_path_factory.mktemp("six")
    for number in range(6):
        ffmpeg(*numbered("25", 3 + number), "-c:v", "ffv1", str(folder / f"{number}.mkv"))
    return folder


@pytest.fixture
def data(six, tmp_path):
    """A folder of six good clips: two classes in each of three subsets."""
    folder = tmp_path / "mine"
    (folder / "clips").mkdir(parents=True)
    rows = []
    for number, subset in enumerate(["train", "train", "val", "val", "test", "test"]):
        name = f"clips/{number}.mkv"
        (folder / name).write_bytes((six / f"{number}.mkv").read_bytes())
        rows.append([f"s{number}", "ab"[number % 2], subset, "", name, "my, note"])
    return write(folder, rows), rows


def test_good_folder_has_no_problem(data):
    assert check(data[0], TABLES, 2) == []


def test_all_problems_at_once(data, clips):
    folder, rows = data
    rows[0][0] = "s1"  # row 2 first uses the id, row 3 is the double
    rows[2][2] = "valid"
    rows[3][1] = ""
    (folder / "clips/4.mkv").unlink()
    (folder / "clips/5.mkv").write_bytes((clips / "numbered.mkv").read_bytes()[:2000])
    found = [str(problem) for problem in check(write(folder, rows), TABLES, 2)]
    *others, last = [line for line in found if line.startswith("row")]
    assert others == [
        "row 3: sample_id 's1' is already used in row 2",
        "row 4: unknown split 'valid'; did you mean 'val'?",
        "row 5: label is empty",
        "row 6: video: no file 'clips/4.mkv'",
    ]
    assert last.startswith("row 7: clips/5.mkv: truncated: ")


def test_split_column_without_test(data):
    folder, rows = data
    for row in rows:
        row[2] = "train"
    rows[0][2] = ""
    found = [str(problem) for problem in check(write(folder, rows), TABLES, 2)]
    assert found == ["no row has split 'test'", "row 2: split is empty, but other rows have one"]


def test_class_without_test(data):
    folder, rows = data
    rows[5][1] = "a"
    assert [str(p) for p in check(write(folder, rows), TABLES, 2)] == [
        "class 'b' has no row with split 'test'"
    ]


def test_one_class_only(data):
    folder, rows = data
    for row in rows:
        row[1], row[2] = "a", ""
    assert [str(p) for p in check(write(folder, rows), TABLES, 2)] == [
        "one class only ('a'); at least two are needed"
    ]


def test_no_manifest_and_settings(tmp_path, data):
    assert "no such file" in str(check(tmp_path / "nowhere", TABLES)[0])
    assert check(data[0], {"film": TABLES["video"] | {"pick": {"even": 3}}}, 1) == []
    (problem,) = check(data[0], {"sound": {"kind": "image", "column": "vidio", "size": 8}}, 1)
    assert "'vidio' of modality 'sound' is missing; did you mean 'video'" in str(problem)


def test_download_links_media_and_keeps_the_rows(data, tmp_path, monkeypatch):
    folder, rows = data
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "raw"
    download(target, Settings(folder="mine"))
    with (target / "manifest.csv").open(newline="") as file:
        header, *copied = csv.reader(file)
    assert header == HEADER
    assert copied == [[*row[:4], f"media/{row[4]}", row[5]] for row in rows]
    for row in copied:
        link = target / row[4]
        assert link.is_symlink() and link.read_bytes() == (folder / row[4][6:]).read_bytes()
    before = {path: path.lstat().st_ino for path in target.rglob("*.mkv")}
    (target / "manifest.csv").unlink()
    download(target, Settings(folder="mine"))  # after a kill: what is there stays
    assert before == {path: path.lstat().st_ino for path in target.rglob("*.mkv")}
    assert (target / "manifest.csv").exists()


def test_media_folder_is_not_doubled(data, tmp_path):
    folder, rows = data
    (folder / "clips").rename(folder / "media")
    for row in rows:
        row[4] = row[4].replace("clips/", "media/./")
    write(folder, rows)
    download(tmp_path / "raw", Settings(folder=str(folder)))
    text = (tmp_path / "raw/manifest.csv").read_text()
    assert "media/0.mkv" in text and "media/media" not in text and "./" not in text


def test_download_faults(data, tmp_path):
    folder, rows = data
    with pytest.raises(UserError, match="no such folder"):
        download(tmp_path / "raw", Settings(folder=str(tmp_path / "nowhere")))
    (folder / "clips/3.mkv").unlink()
    (folder / "clips/1.mkv").unlink()
    with pytest.raises(UserError, match=r"row 3: 2 media file\(s\) missing, first 'clips/1.mkv'"):
        download(tmp_path / "raw", Settings(folder=str(folder)))
    rows[0][4] = "../mine/clips/0.mkv"
    with pytest.raises(UserError, match=r"row 2: .* leads out of the folder"):
        download(tmp_path / "raw", Settings(folder=str(write(folder, rows))))
    assert not (tmp_path / "raw").exists()
