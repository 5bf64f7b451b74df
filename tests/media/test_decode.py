import os

import numpy as np
import pytest
from media_files import ffmpeg, numbered

from equipoise.media import decode
from equipoise.media.ffmpeg import MediaError, MissingStreamError
from equipoise.params import AudioSettings, ImageSettings, VideoSettings

VIDEO = VideoSettings(frames=8, size=32)
AUDIO = AudioSettings()
INTACT = ["plain.mp4", "fast.mp4", "plain.mkv", "plain.flv"]


def numbers(frames):
    """Which frame of a numbered clip each picture is: its luma is 16 + 8 n."""
    return np.round(frames.mean(axis=(1, 2, 3)) * 219 / 255 / 8).astype(int).tolist()


@pytest.mark.parametrize("name", INTACT)
def test_intact_clips_pass_whole_or_in_part(clips, name):
    picture, sound = decode.clip(clips / name, VIDEO, AUDIO)
    assert picture.shape == (8, 32, 32, 3) and picture.dtype == np.uint8
    assert sound.shape == (129, 51) and sound.dtype == np.float16
    assert sound[:, 10].argmax() == 32  # the tone of 1 kHz
    assert len(np.unique(picture.reshape(8, -1), axis=0)) == 8
    alone, nothing = decode.clip(clips / name, VIDEO, None)
    assert nothing is None and np.array_equal(alone, picture)
    nothing, alone = decode.clip(clips / name, None, AUDIO)
    assert nothing is None and np.array_equal(alone, sound)


def test_frames_are_those_in_the_middle_of_equal_parts(clips):
    picture, _ = decode.clip(clips / "numbered.mkv", VideoSettings(frames=5, size=32), None)
    assert numbers(picture) == [2, 7, 12, 17, 22]


def test_odd_frame_rate(clips):
    picture, _ = decode.clip(clips / "ntsc.mkv", VideoSettings(frames=5, size=32), None)
    assert numbers(picture) == [1, 4, 7, 10, 13]


def test_variable_frame_rate_is_sampled_by_time(clips):
    # frames at 0..8 and then every 8th of a 25th of a second; the end is at 72 (8 + 8 * 8):
    # middles of 4 parts at 9, 27, 45, 63 -> shown are the frames at 8, 24, 40, 56
    picture, _ = decode.clip(clips / "vfr.mkv", VideoSettings(frames=4, size=32), None)
    assert numbers(picture) == [8, 10, 12, 14]


def test_short_clip_repeats(clips):
    picture, _ = decode.clip(clips / "short.mkv", VIDEO, None)
    assert numbers(picture) == [0, 0, 0, 1, 1, 2, 2, 2]


def test_sound_is_cut_and_padded_with_silence(clips):
    longer = AudioSettings(seconds=2.0)
    _, sound = decode.clip(clips / "tone.wav", None, longer)
    assert sound.shape == (129, 126)
    assert sound[32, 30] > 0
    assert sound[:, 70:].max() == np.float16(np.log(1e-7))


@pytest.mark.parametrize("percent", [10, 40, 60, 90, 99])
@pytest.mark.parametrize("name", [*INTACT, "tone.wav", "tone.ogg"])
def test_truncated(clips, tmp_path, name, percent):
    data = (clips / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: len(data) * percent // 100])
    wanted = None if name.startswith("tone") else VIDEO
    if (name, percent) == ("plain.mp4", 99):  # only remarks behind the index are lost
        whole = decode.clip(clips / name, VIDEO, AUDIO)
        assert all(map(np.array_equal, decode.clip(path, VIDEO, AUDIO), whole))
        return
    with pytest.raises(MediaError):
        decode.clip(path, wanted, AUDIO)
    if wanted:
        with pytest.raises(MediaError):
            decode.clip(path, wanted, None)


def test_flv_cut_between_two_packets_is_shorter_than_it_claims(clips, tmp_path):
    data = (clips / "plain.flv").read_bytes()
    position = 13  # header and first back pointer; then tags: 11 bytes, data, back pointer
    while position < len(data) * 0.6:
        position += 11 + int.from_bytes(data[position + 1 : position + 4], "big") + 4
    path = tmp_path / "cut.flv"
    path.write_bytes(data[:position])
    with pytest.raises(MediaError, match=r"truncated: 0\.\d\d s of the 1\.2\d s"):
        decode.clip(path, VIDEO, AUDIO)


@pytest.mark.parametrize("name", INTACT)
def test_zeroed_block(clips, tmp_path, name):
    data = bytearray((clips / name).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(MediaError):
        decode.clip(path, VIDEO, AUDIO)


FAKES = {
    "empty file": b"",
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "web page": b"\n<!DOCTYPE html><html><body>404</body></html>",
    "moov atom|Invalid data|not media": b"some notes of mine\n" * 50,
    "text, not media|Impossible to open": b"ffconcat version 1.0\nfile plain.mp4\n",
}


@pytest.mark.parametrize("reason", FAKES)
def test_not_media_at_all(tmp_path, reason):
    path = tmp_path / "clip.mp4"
    path.write_bytes(FAKES[reason])
    with pytest.raises(MediaError, match=reason):
        decode.clip(path, VIDEO, AUDIO)
    with pytest.raises(MediaError):
        decode.still(path, ImageSettings())


def test_missing_streams(clips):
    with pytest.raises(MediaError, match="no audio stream"):
        decode.clip(clips / "short.mkv", VIDEO, AUDIO)
    with pytest.raises(MediaError, match="no video stream"):
        decode.clip(clips / "tone.wav", VIDEO, AUDIO)


def test_no_frames(tmp_path):
    path = tmp_path / "none.mkv"
    ffmpeg(*numbered("25", 3), "-c:v", "ffv1", "-vf", "select=0", str(path))
    with pytest.raises(MediaError):
        decode.clip(path, VIDEO, None)


def test_playlist_opens_nothing_else(clips, tmp_path):
    (tmp_path / "inner.mkv").write_bytes((clips / "numbered.mkv").read_bytes())
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ninner.mkv\n#EXT-X-ENDLIST\n")
    with pytest.raises(MediaError):
        decode.clip(path, VIDEO, None)


@pytest.mark.parametrize(
    "name", ["-i.mp4", "a b'\"$(touch x)%03d.mp4", "http:x.mp4", "zwölf\n.mp4"]
)
def test_unkind_names(clips, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes((clips / "plain.mp4").read_bytes())
    before = sorted(tmp_path.iterdir())
    picture, _ = decode.clip(tmp_path / name, VIDEO, AUDIO)
    assert np.array_equal(picture, decode.clip(clips / "plain.mp4", VIDEO, AUDIO)[0])
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["still.png", "still.jpg"])
def test_still_pictures(clips, tmp_path, name):
    whole = decode.still(clips / name, ImageSettings(size=24))
    assert whole.shape == (24, 24, 3) and whole.std() > 20
    odd = tmp_path / ("still%03d" + name[-4:])
    odd.write_bytes((clips / name).read_bytes())
    assert np.array_equal(decode.still(odd, ImageSettings(size=24)), whole)
    data = (clips / name).read_bytes()
    for lost in (len(data) * 9 // 10, len(data) // 2, len(data) // 10, 30):
        odd.write_bytes(data[:-lost])
        with pytest.raises(MediaError):
            decode.still(odd, ImageSettings(size=24))


def test_the_cover_of_a_piece_of_music_is_no_video(clips, tmp_path):
    path = tmp_path / "cover.mp3"
    cover = ["-c:v", "mjpeg", "-disposition:v", "attached_pic", "-map", "0", "-map", "1"]
    ffmpeg("-i", str(clips / "tone.wav"), "-i", str(clips / "still.png"), *cover, str(path))
    assert decode.clip(path, None, AUDIO)[1].shape == (129, 51)
    with pytest.raises(MissingStreamError, match="no video stream"):
        decode.clip(path, VIDEO, AUDIO)
    assert decode.still(path, ImageSettings(size=16)).shape == (16, 16, 3)


def test_a_name_that_is_no_text(clips, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    path.write_bytes((clips / "tone.wav").read_bytes())
    with pytest.raises(MediaError, match="not UTF-8; rename it"):
        decode.clip(path, None, AUDIO)
