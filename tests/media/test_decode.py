import errno
import os

import numpy as np
import pytest
from media_files import ffmpeg, numbered

from equipoise.media import look
from equipoise.media.decode import decode
from equipoise.media.errors import MediaError, MissingStreamError
from equipoise.media.wants import Pick, Pictures, Sound, Still

VIDEO = Pictures(Pick("even", 8), 32, 32)
AUDIO = Sound(8000, 0.8)
BOTH = {"video": VIDEO, "audio": AUDIO}
INTACT = ["plain.mp4", "fast.mp4", "plain.mkv", "plain.flv"]


def pictures(path, count, how="even", **options):
    return decode(path, {"v": Pictures(Pick(how, count), 32, 32, **options)})["v"]


def numbers(found):
    """Which frame of a numbered clip each picture is: its luma is 16 + 8 n."""
    return np.round(found.array.mean(axis=(1, 2, 3)) * 219 / 255 / 8).astype(int).tolist()


@pytest.mark.parametrize("name", INTACT)
def test_intact_clips_pass_whole_or_in_part(clips, name):
    found = decode(clips / name, BOTH)
    picture, sound = found["video"], found["audio"]
    assert list(found) == ["video", "audio"]
    assert picture.array.shape == (8, 32, 32, 3) and picture.array.dtype == np.uint8
    assert picture.frames == 30 and picture.seconds == pytest.approx(1.2, abs=0.07)
    assert sound.array.shape == (6400,) and sound.array.dtype == np.float32
    assert sound.seconds == pytest.approx(1.2, abs=0.09)
    spectrum = np.abs(np.fft.rfft(sound.array[800:4800]))
    assert spectrum.argmax() == 500  # the tone of 1 kHz, in steps of 2 Hz
    assert len(np.unique(picture.array.reshape(8, -1), axis=0)) == 8
    for modality, whole in found.items():
        alone = decode(clips / name, {modality: BOTH[modality]})
        assert np.array_equal(alone[modality].array, whole.array)


def test_frames_are_those_in_the_middle_of_equal_parts(clips):
    assert numbers(pictures(clips / "numbered.mkv", 5)) == [2, 7, 12, 17, 22]
    assert numbers(pictures(clips / "numbered.mkv", 3, "first")) == [0, 1, 2]


def test_frames_on_screen_at_equal_distances(clips):
    found = decode(clips / "numbered.mkv", {"v": Pictures(Pick("every", 5, 0.3), 32, 32)})["v"]
    assert numbers(found) == [0, 7, 15, 22, 24]  # at 0, 0.3, 0.6, 0.9; then the last one stays


def test_several_wants_of_one_stream(clips):
    wants = {
        "even": Pictures(Pick("even", 5), 32, 32),
        "first": Pictures(Pick("first", 2), 16, 16, channels=1),
        "slow": Sound(8000, 1.0),
        "fast": Sound(16000, 0.5),
    }
    found = decode(clips / "numbered.mkv", wants)
    assert numbers(found["even"]) == [2, 7, 12, 17, 22]
    assert found["first"].array.shape == (2, 16, 16, 1)
    assert found["slow"].array.shape == found["fast"].array.shape == (8000,)


def test_odd_frame_rate(clips):
    assert numbers(pictures(clips / "ntsc.mkv", 5)) == [1, 4, 7, 10, 13]


def test_variable_frame_rate_is_sampled_by_time(clips):
    # frames at 0..8 and then every 8th of a 25th of a second; the last one is shown for 8/25 s
    # or less: the end is at 65 to 72, middles of 4 parts at 8.1 to 9, ... 56.9 to 63
    assert numbers(pictures(clips / "vfr.mkv", 4)) == [8, 10, 12, 14]


def test_short_clip_repeats(clips):
    found = pictures(clips / "short.mkv", 8)
    assert numbers(found) == [0, 0, 0, 1, 1, 2, 2, 2] and found.frames == 3


def test_a_long_clip_is_read_twice_and_gives_the_same(clips, monkeypatch):
    whole = decode(clips / "numbered.mkv", BOTH)
    monkeypatch.setattr("equipoise.media.clip._IN_MEMORY", 0)
    again = decode(clips / "numbered.mkv", BOTH)
    for name in BOTH:
        assert np.array_equal(whole[name].array, again[name].array)


def test_sound_is_cut_and_not_padded(clips):
    found = decode(clips / "tone.wav", {"a": Sound(8000, 2.0)})["a"]
    assert found.array.shape == (8000,) and found.seconds == 1.0
    found = decode(clips / "tone.wav", {"a": Sound(8000, 0.25)})["a"]
    assert found.array.shape == (2000,) and found.seconds == 1.0


@pytest.mark.parametrize("percent", [10, 40, 60, 90, 99])
@pytest.mark.parametrize("name", [*INTACT, "tone.wav", "tone.ogg"])
def test_truncated(clips, tmp_path, name, percent):
    data = (clips / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: len(data) * percent // 100])
    wants = {"audio": AUDIO} if name.startswith("tone") else BOTH
    if (name, percent) == ("plain.mp4", 99):  # only remarks behind the index are lost
        whole = decode(clips / name, wants)
        found = decode(path, wants)
        assert all(np.array_equal(found[key].array, whole[key].array) for key in wants)
        return
    with pytest.raises(MediaError):
        decode(path, wants)
    for modality, want in wants.items():
        with pytest.raises(MediaError):
            decode(path, {modality: want})


def test_flv_cut_between_two_packets_is_shorter_than_it_claims(clips, tmp_path):
    data = (clips / "plain.flv").read_bytes()
    position = 13  # header and first back pointer; then tags: 11 bytes, data, back pointer
    while position < len(data) * 0.6:
        position += 11 + int.from_bytes(data[position + 1 : position + 4], "big") + 4
    path = tmp_path / "cut.flv"
    path.write_bytes(data[:position])
    with pytest.raises(MediaError, match=r"truncated: 0\.\d\d s of the 1\.2\d s"):
        decode(path, BOTH)


@pytest.mark.parametrize("name", INTACT)
def test_zeroed_block(clips, tmp_path, name):
    data = bytearray((clips / name).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(MediaError):
        decode(path, BOTH)


FAKES = {
    "empty file": b"",
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "web page": b"\n<!DOCTYPE html><html><body>404</body></html>",
    "no media format|header cannot be read": b"some notes of mine\n" * 50,
    "no media format": b"ffconcat version 1.0\nfile plain.mp4\n",
}


@pytest.mark.parametrize("reason", FAKES)
def test_not_media_at_all(tmp_path, reason):
    path = tmp_path / "clip.mp4"
    path.write_bytes(FAKES[reason])
    with pytest.raises(MediaError, match=reason):
        decode(path, BOTH)
    with pytest.raises(MediaError, match=reason):
        decode(path, {"still": Still(8, 8)})


FLIPPED = {
    "x.mpg": ["-c:v", "mpeg1video", "-c:a", "mp2"],
    "x.webm": ["-c:v", "libvpx", "-c:a", "libvorbis"],
    "x.caf": ["-vn", "-c:a", "pcm_s16le"],
    "x.mov": ["-c:v", "mpeg4", "-c:a", "pcm_s16le"],
    "x.w64": ["-vn", "-c:a", "pcm_s16le"],
}


@pytest.mark.parametrize("name", FLIPPED)
def test_numbers_that_make_no_sense_are_one_line(clips, tmp_path, name):
    """Random bytes in the first 2,000: sizes that no file has, clocks that run backwards."""
    ffmpeg("-i", str(clips / "plain.mp4"), *FLIPPED[name], str(tmp_path / name))
    whole, random = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    said = []
    for _ in range(20):
        data = np.frombuffer(whole, np.uint8).copy()
        data[random.integers(0, min(2000, len(data)), 3)] = random.integers(0, 256, 3)
        (tmp_path / name).write_bytes(data.tobytes())
        for want in (Pictures(Pick("even", 2), 8, 8), Sound(8000, 1)):
            try:
                assert decode(tmp_path / name, {"x": want})["x"].seconds >= 0
            except MediaError as error:
                said.append(str(error))
    assert said and not any("\n" in line for line in said)


@pytest.mark.parametrize(
    "content",
    [
        b"caff\0\1\0\0free" + b"\x7f" + b"\xff" * 7,  # Core Audio: 2^63 - 1 bytes to pass over
        b"\x1aE\xdf\xa3\x00" + b"\x7f" + b"\xff" * 6 + b"\xfe",  # Matroska: a header so long
    ],
)
def test_a_part_larger_than_any_file(tmp_path, content):
    (tmp_path / "x").write_bytes(content + bytes(100))
    with pytest.raises(MediaError, match="claims to be larger than any file"):
        look.claimed_size(tmp_path / "x", content)


def test_missing_streams_are_called_by_the_name_of_the_modality(clips):
    with pytest.raises(MissingStreamError, match="no heard stream") as caught:
        decode(clips / "short.mkv", {"seen": VIDEO, "heard": AUDIO})
    assert caught.value.modality == "heard"
    with pytest.raises(MissingStreamError, match="no seen stream"):
        decode(clips / "tone.wav", {"seen": VIDEO, "heard": AUDIO})
    with pytest.raises(MissingStreamError, match="no photo stream"):
        decode(clips / "tone.wav", {"photo": Still(8, 8)})


def test_no_frames(tmp_path):
    path = tmp_path / "none.mkv"
    ffmpeg(*numbered("25", 3), "-c:v", "ffv1", "-vf", "select=0", str(path))
    with pytest.raises(MediaError):
        decode(path, {"video": VIDEO})


@pytest.mark.parametrize(
    "name", ["-i.mp4", "a b'\"$(touch x)%03d.mp4", "http:x.mp4", "zwölf\n.mp4"]
)
def test_unkind_names(clips, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes((clips / "plain.mp4").read_bytes())
    before = sorted(tmp_path.iterdir())
    found = decode(tmp_path / name, BOTH)
    assert np.array_equal(found["video"].array, decode(clips / "plain.mp4", BOTH)["video"].array)
    assert sorted(tmp_path.iterdir()) == before


def test_the_cover_of_a_piece_of_music_is_no_video(clips, tmp_path):
    path = tmp_path / "cover.mp3"
    cover = ["-c:v", "mjpeg", "-disposition:v", "attached_pic", "-map", "0", "-map", "1"]
    ffmpeg("-i", str(clips / "tone.wav"), "-i", str(clips / "still.png"), *cover, str(path))
    assert decode(path, {"audio": AUDIO})["audio"].array.shape == (6400,)
    with pytest.raises(MissingStreamError, match="no video stream"):
        decode(path, BOTH)
    assert decode(path, {"i": Still(16, 16)})["i"].array.shape == (16, 16, 3)


def test_a_name_that_is_no_text(clips, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    path.write_bytes((clips / "tone.wav").read_bytes())
    with pytest.raises(MediaError, match="not UTF-8; rename it"):
        decode(path, {"audio": AUDIO})


def test_a_disk_that_fails_is_not_a_damaged_file(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"caff\0\1\0\0" + bytes(100))

    def fail(path, first):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(look, "_claimed_size", fail)
    with pytest.raises(MediaError, match=r"^cannot be read: Input/output error$"):
        look.claimed_size(tmp_path / "x", b"caff")
