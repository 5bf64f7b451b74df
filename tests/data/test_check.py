"""``check`` says in seconds what later stages would refuse, and what no stage says."""

import json
import struct

import numpy as np
import pytest
from media_files import ffmpeg
from PIL import Image

from equipoise import cli
from equipoise.data.check import check
from equipoise.data.proposal import propose
from equipoise.params import Split

SOUND = {"kind": "sound", "column": "audio", "rate": 8000, "seconds": 0.5, "n_fft": 256}
TABLES = {"audio": SOUND}
RATE = 8000


def wav(path, samples):
    data = np.asarray(samples, "<f4").tobytes()
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, RATE, 4 * RATE, 4, 32)
    body = head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def tone(number, seconds=0.5):
    return 0.2 * np.sin(np.arange(int(RATE * seconds)) * (0.1 + 0.01 * number))


class Folder:
    """Twelve tones of two classes; what is wrong is put in by the tests."""

    def __init__(self, path):
        self.path = path
        self.header = ["sample_id", "label", "split", "group", "audio"]
        self.rows = [[f"s{n}", f"c{n % 2}", "", "", f"{n}.wav"] for n in range(12)]
        path.mkdir()
        for number in range(12):
            wav(path / f"{number}.wav", tone(number))

    def write(self):
        lines = [",".join(row) for row in (self.header, *self.rows)]
        (self.path / "manifest.csv").write_text("\n".join(lines) + "\n")
        return self.path

    def problems(self, **options):
        return [str(p) for p in check(self.write(), TABLES, 2, **options).problems]

    def notes(self, **options):
        return check(self.write(), TABLES, 2, **options).notes


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "mine")


def test_nothing_is_said_of_a_good_folder(folder):
    found = check(folder.write(), TABLES, 2)
    assert found.problems == [] and found.notes == []


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    ("groups", "protocol", "reason"),
    [
        ([""] * 12, "official", "12 samples have no split"),
        (["g"] * 12, "auto", "protocol group_disjoint leaves no sample of class 'c0'"),
        (["g"] * 6 + ["h"] * 6, "auto", "protocol group_disjoint leaves no sample of class 'c0'"),
    ],
)
def test_a_split_that_cannot_be_made(folder, groups, protocol, reason, quick):
    for row, group in zip(folder.rows, groups, strict=True):
        row[3] = group
    (problem,) = folder.problems(split=Split(protocol=protocol), quick=quick)
    assert reason in problem


def test_a_class_with_one_sample(folder):
    folder.rows = [row for row in folder.rows if row[1] == "c0" or row[0] == "s1"]
    (problem,) = folder.problems()
    assert "leaves no sample of class 'c1' in train (1 in all)" in problem


@pytest.mark.parametrize("column", ["Audio", "audios", "aud", "Images", "img", "IMAGE", "vid"])
def test_a_column_that_is_nearly_one_of_a_modality(folder, column):
    folder.header.append(column)
    for row in folder.rows:
        row.append(row[4])
    (problem,) = folder.problems(quick=True)
    assert f"column {column!r} is read by no modality; did you mean" in problem


@pytest.mark.parametrize(("column", "cell"), [("video", "0.wav"), ("mask", "0.wav")])
def test_a_column_of_files_that_nobody_reads_is_named(folder, column, cell):
    folder.header.append(column)
    for row in folder.rows:
        row.append(cell)
    assert folder.problems(quick=True) == []
    assert folder.notes(quick=True) == [f"column {column!r} holds files, and no modality reads it"]


def test_a_remark_is_no_column_of_files(folder):
    folder.header.append("note")
    for row in folder.rows:
        row.append("rather loud")
    assert folder.notes(quick=True) == []


def test_the_same_bytes_under_two_labels(folder):
    wav(folder.path / "5.wav", tone(2))  # c1 and c0
    (problem,) = folder.problems(quick=True)
    assert (
        "row 7: 's5' is the same as row 4, under another label ('c0' there, 'c1' here)" in problem
    )


def test_one_file_on_two_sides(folder):
    for number, row in enumerate(folder.rows):
        row[2] = ["train", "train", "val", "val", "test", "test"][number % 6]
    folder.rows[4][4] = "0.wav"  # train and test, both c0
    (problem,) = folder.problems(quick=True)
    assert "row 6: 's4' is the same as row 2: one is for train, one for test" in problem
    folder.rows[4][4], folder.rows[6][4] = "4.wav", "0.wav"  # both train
    assert folder.problems(quick=True) == []
    assert folder.notes(quick=True) == [
        "1 sample(s) stand there twice under one label, first row 8 as row 2"
    ]


def test_what_settings_cut_off_is_said(folder):
    for number in range(12):
        wav(folder.path / f"{number}.wav", tone(number, seconds=2.0))
    (note,) = folder.notes()
    assert "12 of 12 samples are longer than what is stored: 75% of the median one" in note


def test_silence_everywhere_and_silence_here_and_there(folder):
    wav(folder.path / "3.wav", np.zeros(4000))
    assert folder.problems() == []
    (note,) = folder.notes()
    assert "'audio': 1 of 12 samples are one value throughout" in note and "row 5" in note
    for number in range(12):  # 0.5 s of silence, and what differs is behind it
        wav(folder.path / f"{number}.wav", np.concatenate([np.zeros(4000), tone(number)]))
    (problem,) = folder.problems()
    assert (
        "modality 'audio': every sample is the same" in problem and "50% of the median" in problem
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number_is_a_problem_of_its_row(folder, value):
    samples = tone(7)
    samples[100] = value
    wav(folder.path / "7.wav", samples)
    (problem,) = folder.problems()
    assert problem.startswith("row 9: 7.wav: ") and "the sound holds" in problem


def test_quick_decodes_nothing_but_looks_at_files(folder):
    (folder.path / "1.wav").unlink()
    (folder.path / "2.wav").write_bytes(b"")
    (folder.path / "3.wav").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (folder.path / "4.wav").write_bytes((folder.path / "4.wav").read_bytes()[:900])  # truncated
    found = folder.problems(quick=True)
    assert [line[:6] for line in found] == ["row 3:", "row 4:", "row 5:"]
    assert [line[:6] for line in folder.problems()] == ["row 3:", "row 4:", "row 5:", "row 6:"]


def test_a_sample_too_large_for_any_memory(folder):
    table = {"audio": SOUND | {"rate": 1_000_000_000, "seconds": 1e6}}
    (problem,) = check(folder.write(), table, 2, quick=True).problems
    assert "billion numbers" in problem.message


def test_a_length_that_no_sound_has_is_refused_with_the_parameters(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    stream = SOUND | {"seconds": 1e308}
    dataset = {"download": {"folder": str(folder.write())}, "modalities": {"audio": stream}}
    tree = {"datasets": {"mine": dataset}, "methods": {"from_scratch": {"joint": {}}}}
    (tmp_path / "params.yaml").write_text(json.dumps(tree | {"seeds": [0]}))
    assert cli.main(["params", "check"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "datasets.mine.modalities.audio.seconds: Input should be less than 2147483648" in line


@pytest.mark.parametrize("seconds", [1e6, 2e9])
def test_stage_extract_refuses_it_too(folder, tmp_path, monkeypatch, capsys, seconds):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    stream = SOUND | {"rate": 100_000, "seconds": seconds}
    dataset = {"download": {"folder": str(folder.write())}, "modalities": {"audio": stream}}
    tree = {
        "datasets": {"mine": dataset},
        "methods": {"from_scratch": {"joint": {}}},
        "seeds": [0],
    }
    (tmp_path / "params.yaml").write_text(json.dumps(tree))
    assert cli.main(["download", "--dataset", "mine"]) == 0
    capsys.readouterr()
    assert cli.main(["extract", "--dataset", "mine"]) == 2
    (line,) = (text for text in capsys.readouterr().err.splitlines() if text[2:3] != ":")
    assert line.startswith("equipoise extract: error: data set 'mine': modality 'audio': ")
    assert len(line) < 200 and "billion numbers; lower" in line


def pictures(folder):
    """A second modality: one picture for each tone."""
    folder.header.append("image")
    for number, row in enumerate(folder.rows):
        row.append(f"{number}.png")
        pixels = np.full((16, 16, 3), number, np.uint8)
        pixels[0] = 255
        Image.fromarray(pixels).save(folder.path / f"{number}.png")
    image = {"kind": "image", "column": "image", "size": 16}
    return {"image": image, **TABLES}


@pytest.mark.parametrize("name", ["4.png", "4.wav"])
def test_the_file_that_is_damaged_is_named_and_no_other_of_its_row(folder, name):
    tables = pictures(folder)
    path = folder.path / name
    path.write_bytes(path.read_bytes()[:300] if name == "4.wav" else b"")
    (problem,) = check(folder.write(), tables, 2).problems
    assert str(problem).startswith(f"row 6: {name}: ")


def test_one_file_under_two_labels_in_samples_that_differ(folder):
    tables = pictures(folder)
    (folder.path / "5.png").write_bytes((folder.path / "2.png").read_bytes())  # c1 and c0
    found = check(folder.write(), tables, 2, split=Split(protocol="random", allow_leaks=True))
    assert found.problems == []
    assert (
        "modality 'image': 1 sample(s) have the file of another, under another label, first row 7 "
        "as row 4" in found.notes
    )


def test_the_verb_proposes_settings_from_what_it_measured(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", str(folder.write())]) == 0
    shown = capsys.readouterr().out
    assert "audio: {column: audio," in shown and "seconds: 0.5" in shown
    assert "no problem found; every sample was read" in shown
    assert cli.main(["check", "--quick", str(folder.path)]) == 0
    assert "nothing was decoded" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["check", "audit"])
def test_a_folder_without_entry_has_every_row_named(folder, verb, capsys, monkeypatch, tmp_path):
    """Proposing refused the first bad row, and the others were a number."""
    folder.rows[2][0], folder.rows[5][2], folder.rows[7][1] = "s1", "trian", ""
    monkeypatch.chdir(tmp_path)
    assert cli.main([verb, str(folder.write())]) == 2
    shown, error = capsys.readouterr()
    if verb == "audit":  # it needs samples: the first row and how many more, in one line
        assert error.endswith("row 4: sample_id 's1' is already used in row 3 (and 2 more)\n")
        return
    assert "audio: {column: audio," in shown
    assert [line.split(":")[0] for line in shown.splitlines() if line.startswith("row ")] == [
        *("row 4", "row 7", "row 9")
    ]
    assert error.endswith("3 problem(s), listed above; mend them\n")


def test_a_file_with_several_tracks_is_named(folder):
    sounds = [*("-i", str(folder.path / "4.wav")), *("-i", str(folder.path / "5.wav"))]
    ffmpeg(*sounds, "-map", "0", "-map", "1", "-c", "copy", str(folder.path / "4.mka"))
    folder.rows[4][4] = "4.mka"
    (note,) = folder.notes()
    assert "1 of 12 files have several such tracks, first row 6 (2)" in note


def own(folder, write, suffix, damage):
    rows = ["sample_id,label,split,group,sensor"]
    for number in range(12):
        path = folder / f"{number}.{suffix}"
        write(path, number)
        if number == 4:
            damage(path)
        rows.append(f"s{number},c{number % 2},,,{path.name}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return propose(folder)


DAMAGE = {
    "absent": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "a web page": lambda path: path.write_bytes(b"<html>\xff</html>"),
}
WRITE = {
    "npy": lambda path, n: np.save(path, np.full((20 + n, 3), n, np.float32)),
    "txt": lambda path, n: path.write_bytes(b"%d \xc3\xa9" % n + 29 * b"."),
    "png": lambda path, n: Image.new("L", (32, 24), n).save(path),
    "wav": lambda path, n: wav(path, tone(n)),
}


PAIRS = [
    ("npy", "absent"),
    ("npy", "cut"),
    ("txt", "a web page"),
    ("png", "absent"),
    ("wav", "cut"),
]


@pytest.mark.parametrize(("suffix", "how"), PAIRS)
def test_one_damaged_file_hides_neither_its_modality_nor_its_name(tmp_path, suffix, how):
    proposed = own(tmp_path, WRITE[suffix], suffix, DAMAGE[how])
    assert set(proposed) == {"sensor"}
    (problem,) = check(tmp_path, proposed, 2).problems
    assert problem.row == 6 and f"4.{suffix}" in str(problem)


def test_samples_of_no_modality_are_not_the_same(tmp_path):
    own(tmp_path, lambda path, n: path.write_bytes(b"%d" % n), "xyz", lambda path: None)
    found = check(tmp_path, {}, 2)
    assert [str(p) for p in found.problems] == ["no column holds files or texts of a known kind"]
    assert found.notes == ["column 'sensor' holds files, and no modality reads it"]


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_pictures_of_16_bits_that_are_stored_with_8_are_named(tmp_path, suffix):
    rows = ["sample_id,label,split,group,image"]
    for number in range(12):
        depth = np.linspace(500, 4000 - number, 64 * 48).reshape(48, 64).astype(np.uint16)
        Image.fromarray(depth).save(tmp_path / f"{number}.{suffix}")
        rows.append(f"s{number},c{number % 2},,,{number}.{suffix}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    grey = {"kind": "image", "column": "image", "size": 48, "channels": 1}
    (note,) = check(tmp_path, {"image": grey}, 2).notes
    assert "12 of 12 samples are grey with more than 8 bits" in note and "bits: 16" in note
    proposed = propose(tmp_path)
    assert proposed["image"] | {"channels": 1, "bits": 16} == proposed["image"]
    assert "range" not in proposed["image"]  # of a few pictures it would cut the others
    assert check(tmp_path, proposed, 2).notes == []
