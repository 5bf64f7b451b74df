import numpy as np
import pytest

from equipoise.media import ffmpeg, sample
from equipoise.media.ffmpeg import MediaError
from equipoise.params import Extract


def test_shapes_are_what_decode_gives(clips):
    paths = {
        "video": clips / "plain.mp4",
        "audio": clips / "tone.wav",
        "image": clips / "still.png",
    }
    arrays = sample.decode(paths, Extract())
    shapes = sample.shapes(tuple(paths), Extract())
    assert list(arrays) == list(shapes) == ["video", "audio", "image"]
    for name, (shape, kind) in shapes.items():
        assert arrays[name].shape == shape and arrays[name].dtype == kind


def test_one_process_for_picture_and_sound_of_one_file(clips, monkeypatch):
    started = []
    real = ffmpeg.subprocess.Popen
    monkeypatch.setattr(
        ffmpeg.subprocess, "Popen", lambda *a, **k: started.append(a) or real(*a, **k)
    )
    one = sample.decode({"video": clips / "plain.mp4", "audio": clips / "plain.mp4"}, Extract())
    assert len(started) == 1
    two = sample.decode({"video": clips / "plain.mp4", "audio": clips / "plain.mkv"}, Extract())
    assert len(started) == 3
    assert np.array_equal(one["video"], two["video"])


def test_reason_names_the_modality_of_several_files(clips):
    with pytest.raises(MediaError, match=r"^audio: no audio stream"):
        sample.decode({"video": clips / "plain.mp4", "audio": clips / "short.mkv"}, Extract())


def test_modalities_that_the_files_do_not_hold_are_left_out(clips):
    def present(**names):
        paths = {modality: clips / name for modality, name in names.items()}
        return sample.decode_present(paths, Extract())

    both = present(video="plain.mp4", audio="plain.mp4")
    assert list(both) == ["video", "audio"]
    assert list(present(video="tone.wav", audio="tone.wav")) == ["audio"]
    assert list(present(video="short.mkv", audio="short.mkv")) == ["video"]
    split = present(video="plain.mp4", audio="short.mkv", image="tone.wav")
    assert list(split) == ["video"] and np.array_equal(split["video"], both["video"])
    with pytest.raises(MediaError, match=r"^no video stream$"):
        present(video="tone.wav")
    with pytest.raises(MediaError, match="no video and no image stream"):
        present(video="tone.wav", image="tone.wav")


def test_a_damaged_file_is_no_missing_modality(clips, tmp_path):
    path = tmp_path / "half.mkv"
    path.write_bytes((clips / "plain.mkv").read_bytes()[:4000])
    with pytest.raises(MediaError, match=r"^audio: "):
        sample.decode_present({"video": clips / "plain.mp4", "audio": path}, Extract())
