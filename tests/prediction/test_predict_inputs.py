"""From paths to clips."""

from pathlib import Path

import pytest

from equipoise.data.manifest import Column
from equipoise.errors import UserError
from equipoise.prediction.inputs import Clip, Wanted, find_clips

BOTH = {"audio": Wanted("sound", Column("audio")), "video": Wanted("frames", Column("video"))}
IMAGE = {"photo": Wanted("image", Column("image"))}


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_files_serve_the_modalities_whose_kind_reads_them(tmp_path):
    touch(tmp_path, "b.mp4", "a.JPG", "c.wav", "unusual.xyz")
    paths = [tmp_path / name for name in ("b.mp4", "a.JPG", "c.wav", "unusual.xyz")]
    assert find_clips(paths, BOTH) == [
        Clip(str(paths[0]), {"video": paths[0], "audio": paths[0]}),
        Clip(str(paths[1]), {}),
        Clip(str(paths[2]), {"audio": paths[2]}),
        Clip(str(paths[3]), {"video": paths[3], "audio": paths[3]}),
    ]
    assert find_clips(paths[1:2], BOTH | IMAGE) == [Clip(str(paths[1]), {"photo": paths[1]})]


def test_a_file_that_could_be_of_two_cameras_needs_a_table(tmp_path):
    touch(tmp_path, "b.mp4")
    left = {"left": Wanted("frames", Column("l")), "right": Wanted("frames", Column("r"))}
    with pytest.raises(UserError, match=r"several modalities of kind frames \(l, r\); name their"):
        find_clips([tmp_path / "b.mp4"], left)
    same = {"left": Wanted("frames", Column("l")), "flow": Wanted("frames", Column("l"))}
    (clip,) = find_clips([tmp_path / "b.mp4"], same)
    assert list(clip.sources) == ["left", "flow"]


def test_what_is_given_goes_with_every_path_or_is_the_sample(tmp_path):
    touch(tmp_path, "b.mp4")
    model = BOTH | {"words": Wanted("text", Column("words", inline=True))}
    given = {"words": "a = b", "audio": "x.wav"}
    (clip,) = find_clips([tmp_path / "b.mp4"], model, given)
    video = {"video": tmp_path / "b.mp4"}
    assert clip.sources == {**video, "words": "a = b", "audio": Path("x.wav")}
    (clip,) = find_clips([], model, given)
    assert clip.sources == {"words": "a = b", "audio": Path("x.wav")}
    with pytest.raises(UserError, match="no such modality; did you mean 'words'"):
        find_clips([], model, {"word": "x"})


def test_a_folder_means_the_media_below_it(tmp_path, caplog):
    touch(tmp_path, "d/z.mp4", "d/sub/y.WAV", "d/notes.txt", "d/._z.mp4", "d/.hidden/x.mp4")
    found = find_clips([tmp_path / "d"], BOTH)
    ids = [str(tmp_path / "d" / name) for name in ("sub/y.WAV", "z.mp4")]
    assert [clip.sample_id for clip in found] == ids
    assert "1 file(s) without such a suffix" in caplog.text


def test_a_manifest_is_one_where_signals_are_tables_too(tmp_path):
    """Any .csv was taken for a signal, so that such a model could not be given a manifest."""
    table, sensor = tmp_path / "new.csv", tmp_path / "w1.csv"
    table.write_text("\ufeffsample_id,wrist,hip\na,w1.csv,\n")
    wrist, hip = Wanted("signal", Column("wrist")), Wanted("signal", Column("hip"))
    for model in ({"wrist": wrist}, {"wrist": wrist, "hip": hip}):
        assert find_clips([table], model) == [Clip("a", {"wrist": sensor})]
    for text in ("t,x,y\n0,1,2\n", "sample_id,x,y\n0,1,2\n", "", "\0"):  # a count of samples
        sensor.write_text(text)
        assert find_clips([sensor], {"wrist": wrist}) == [Clip(str(sensor), {"wrist": sensor})]


def test_what_is_named_twice_comes_once(tmp_path):
    touch(tmp_path, "d/b.mp4", "d/a.mp4")
    found = find_clips([tmp_path / "d/b.mp4", tmp_path / "d", tmp_path / "d/b.mp4"], BOTH)
    assert [clip.sample_id for clip in found] == [
        str(tmp_path / "d" / name) for name in ("b.mp4", "a.mp4")
    ]


def test_a_folder_with_a_manifest_means_the_manifest(tmp_path):
    touch(tmp_path, "extra.mp4")
    (tmp_path / "manifest.csv").write_text("sample_id,label,audio\none,,a/1.wav\n")
    expected = [Clip("one", {"audio": tmp_path / "a/1.wav"})]
    assert find_clips([tmp_path], BOTH) == expected
    assert find_clips([tmp_path / "manifest.csv"], BOTH) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample_id,image\na,a.png\n", "no column of a modality; add one of audio, video"),
        ("sample_id,label\na,b\n", "no column of a modality"),
        ("sample,audio\na,a.wav\n", "column 'sample_id' is missing; did you mean 'sample'"),
        ("sample_id,audio\na,a.wav\na,b.wav\n", "row 3: sample_id 'a' is already used in row 2"),
        ("sample_id,audio\n,a.wav\n", "row 2: sample_id is empty"),
        ("sample_id,audio\n", "no rows"),
    ],
)
def test_a_manifest_that_cannot_be_used(text, message, tmp_path):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(UserError) as error:
        find_clips([tmp_path / "m.csv"], BOTH)
    assert str(error.value).startswith(f"{tmp_path / 'm.csv'}: ") and message in str(error.value)


def test_one_name_for_two_samples(tmp_path):
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(f"sample_id,audio\nsame,{name}.wav\n")
    with pytest.raises(UserError, match="'same' names two samples"):
        find_clips([tmp_path / "one.csv", tmp_path / "two.csv"], BOTH)


def test_nothing_to_predict(tmp_path):
    with pytest.raises(UserError, match="nothing to predict"):
        find_clips([], BOTH)
    with pytest.raises(UserError, match="gone: no such file or folder"):
        find_clips([tmp_path / "gone"], BOTH)
    touch(tmp_path, "d/notes.txt")
    with pytest.raises(UserError, match="no file in it has a suffix that the model reads"):
        find_clips([tmp_path / "d"], BOTH)
