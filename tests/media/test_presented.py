"""Intact files that players show, whatever their headers say; the kinds of issue 10, point 1."""

import struct
import subprocess

import numpy as np
import pytest
from media_files import ffmpeg

from equipoise.media.damage import Tolerance
from equipoise.media.decode import decode
from equipoise.media.errors import MediaError
from equipoise.media.ffmpeg import binary
from equipoise.media.wants import Pick, Pictures, Sound

BOTH = {"v": Pictures(Pick("even", 4), 24, 32), "a": Sound(16000, 60)}
MOVING = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3"]
H264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "25"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.mp4"
    ffmpeg(*MOVING, *H264, "-c:a", "aac", str(path))
    return path


def seconds(path, wants=BOTH, **options):
    return {name: found.seconds for name, found in decode(path, wants, **options).items()}


SUBTITLES = "1\n00:00:00,500 --> 00:00:10,000\nhello\n"
CHAPTER = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=8000\ntitle=x\n"
LONGER = {
    "subtitles.mkv": ["-i", "s.srt", "-map", "0", "-map", "1", "-c", "copy"],
    "subtitles.mp4": ["-i", "s.srt", "-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text"],
    "chapters.mp4": ["-i", "c.txt", "-map_metadata", "1", "-c", "copy"],
    "offset.mkv": ["-c", "copy", "-output_ts_offset", "10"],
    "offset.mp4": ["-c", "copy", "-output_ts_offset", "10"],
    "offset.ts": ["-c", "copy", "-output_ts_offset", "10"],
}


@pytest.mark.parametrize("name", LONGER)
def test_what_is_no_picture_and_no_sound_does_not_lengthen(whole, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.srt").write_text(SUBTITLES)
    (tmp_path / "c.txt").write_text(CHAPTER)
    ffmpeg("-i", str(whole), *LONGER[name], name)
    found = seconds(tmp_path / name)
    assert found == pytest.approx({"v": 3.0, "a": 3.0}, abs=0.05)


def test_an_empty_packet_repeats_the_frame_before_it(tmp_path):
    """What Theora writes of frames in which nothing moves: 75 packets, most of them empty."""
    path = tmp_path / "still.ogv"
    moves = "color=black:s=64x48:r=25:d=3,drawbox=t=fill:c=white:enable='between(n,40,41)'"
    end = "drawbox=t=fill:c=gray:enable='gte(n,74)'"
    codecs = ["-c:v", "libtheora", "-q:v", "8", "-c:a", "libvorbis"]
    ffmpeg("-f", "lavfi", "-i", f"{moves},{end}", *MOVING[4:], *codecs, str(path))
    found = decode(path, {**BOTH, "v": Pictures(Pick("every", 75, 0.04), 8, 8, channels=1)})["v"]
    assert found.frames < 20
    assert found.seconds == pytest.approx(3.0)
    white = found.array.reshape(75, -1).mean(1) > 200
    assert list(np.flatnonzero(white)) == [40, 41]


def test_a_picture_that_comes_late_in_avi(tmp_path):
    path = tmp_path / "late.avi"
    sound = ["-f", "lavfi", "-i", "sine=d=9"]
    ffmpeg("-itsoffset", "6", *MOVING[:4], *sound, "-c:v", "mpeg4", "-c:a", "pcm_s16le", str(path))
    found = decode(path, BOTH)
    assert found["v"].frames == 75
    assert found["v"].seconds == pytest.approx(9.0, abs=0.1)
    assert found["a"].seconds == pytest.approx(9.0, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "codec"), [("mp4", "aac"), ("mkv", "aac"), ("mp4", "libopus"), ("webm", "libvorbis")]
)
def test_a_gap_of_the_sound_is_silence_and_no_damage(whole, tmp_path, kind, codec):
    path = tmp_path / f"gap.{kind}"
    picture = ["libvpx"] if kind == "webm" else ["copy"]
    gap = ["-af", "aselect='not(between(t,0.8,1.9))'"]
    ffmpeg("-i", str(whole), "-c:v", *picture, *gap, "-c:a", codec, str(path))
    sound = decode(path, BOTH)["a"]
    assert sound.seconds == pytest.approx(3.0, abs=0.1)
    loud = [np.abs(sound.array[int(t * 16000) :][:3200]).max() > 0.05 for t in (0.3, 1.2, 2.3)]
    assert loud == [True, False, True]


@pytest.mark.parametrize("start", ["0.3", "0.55", "1.0", "1.7"])
@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "flv", "ts"])
def test_pieces_cut_without_decoding(whole, tmp_path, kind, start):
    path = tmp_path / f"cut.{kind}"
    ffmpeg("-ss", start, "-i", str(whole), "-c", "copy", str(path))
    found = seconds(path)
    if kind in ("mp4", "mov"):  # the edit list hides what comes before
        assert found == pytest.approx(dict.fromkeys("va", 3 - float(start)), abs=0.07)
    assert 3 - float(start) - 0.05 <= found["v"] <= 3.05


def test_a_recording_switched_on_between_two_key_frames(whole, tmp_path):
    stream = tmp_path / "whole.ts"
    ffmpeg("-i", str(whole), "-c", "copy", str(stream))
    data = stream.read_bytes()
    path = tmp_path / "middle.ts"
    begin = len(data) * 2 // 5 // 188 * 188
    path.write_bytes(data[:564] + data[begin:])  # the tables, then any packet
    wants = {"v": BOTH["v"]}
    with pytest.raises(MediaError, match=r"damaged picture|truncated picture"):
        decode(path, wants)
    assert seconds(path, wants, tolerance=Tolerance(seconds=2.0, broken=2.0))["v"] > 1


def flash_with_header(path, out, longer, filesize=True):
    """Write an FLV whose header claims more seconds than there are."""
    data = bytearray(path.read_bytes())
    at = data.index(b"\x00\x08duration\x00") + 11
    value = struct.unpack(">d", data[at : at + 8])[0]
    data[at : at + 8] = struct.pack(">d", value + longer)
    if not filesize:
        at = data.index(b"\x00\x08filesize\x00") + 11
        data[at : at + 8] = bytes(8)
    out.write_bytes(data)


@pytest.mark.parametrize("longer", [0.1, 0.2, 0.4])
@pytest.mark.parametrize("filesize", [True, False])
def test_flash_headers_are_too_long(clips, tmp_path, longer, filesize):
    flash_with_header(clips / "plain.flv", tmp_path / "x.flv", longer, filesize)
    assert seconds(tmp_path / "x.flv") == pytest.approx({"v": 1.25, "a": 1.25}, abs=0.02)


def test_the_tolerance_is_a_setting(clips, tmp_path):
    path = tmp_path / "x.flv"
    flash_with_header(clips / "plain.flv", path, 0.8)
    with pytest.raises(MediaError, match=r"^truncated: 1.25 s of the 2.05 s that its header claim"):
        decode(path, BOTH)
    assert seconds(path, tolerance=Tolerance(seconds=1.0))
    assert seconds(path, tolerance=Tolerance(seconds=0.0, share=0.5))
    with pytest.raises(MediaError, match="truncated"):
        decode(path, BOTH, Tolerance(seconds=0.7, share=0.3))


def test_a_broken_frame_is_tolerated_only_when_asked_for(whole, tmp_path):
    data = bytearray(whole.read_bytes())
    middle = data.index(b"mdat") + len(data) // 4
    data[middle : middle + 300] = bytes(300)
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"damaged (picture|sound): 0\.\d\d s of 3\.\d\d s cannot"):
        decode(path, BOTH)
    assert seconds(path, tolerance=Tolerance(broken=2.0))["v"] == pytest.approx(3.0, abs=0.05)


UNKNOWN = {"pipe": 0xFFFFFFFF, "killed": 0, "arecord": 0x7FFFFFFF + 36, "signed": 0x80000000}


@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("writer", UNKNOWN)
def test_wav_of_unknown_length(tmp_path, writer, odd):
    path = tmp_path / "x.wav"
    size = UNKNOWN[writer]
    samples = (8000 * np.sin(np.arange(16000) / 9)).astype("<i2").tobytes()
    shape = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    head = b"RIFF" + struct.pack("<I", min(size + 36, 0xFFFFFFFF)) + b"WAVEfmt " + shape
    path.write_bytes(head + b"data" + struct.pack("<I", size) + samples + bytes(odd))
    found = decode(path, {"a": Sound(16000, 5)})["a"]
    assert found.seconds == 1.0
    assert np.array_equal(found.array, np.frombuffer(samples, "<i2") / np.float32(32768))


@pytest.mark.parametrize("more", [["-f", "wav", "-rf64", "always"], ["-f", "caf"], ["-f", "au"]])
def test_other_headers_of_unknown_length(tmp_path, more):
    path = tmp_path / f"x.{more[1]}"
    with path.open("wb") as out:  # a pipe, so that ffmpeg cannot come back to the header
        command = [
            binary(),
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "sine=d=2:r=16000",
            *more,
            "pipe:1",
        ]
        out.write(subprocess.run(command, capture_output=True, check=True).stdout)
    assert len(decode(path, {"a": BOTH["a"]})["a"].array) == 32000


@pytest.mark.parametrize("kind", ["aiff", "w64"])
def test_headers_that_need_a_length_are_refused_for_its_lack(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    command = [binary(), "-v", "quiet", "-f", "lavfi", "-i", "sine=d=2", "-f", kind, "pipe:1"]
    path.write_bytes(subprocess.run(command, capture_output=True, check=False).stdout)
    assert path.stat().st_size > 100_000
    with pytest.raises(MediaError, match="its header tells no length"):
        decode(path, {"a": BOTH["a"]})


def test_caf_of_known_length_that_is_shorter_is_refused(tmp_path):
    path = tmp_path / "x.caf"
    ffmpeg("-f", "lavfi", "-i", "sine=d=2:r=16000", str(path))
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"data") + 8000])
    with pytest.raises(MediaError, match="truncated"):
        seconds(path, {"a": BOTH["a"]})


def test_wav_of_known_length_that_is_shorter_is_refused(tmp_path):
    path = tmp_path / "x.wav"
    shape = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + 32000) + b"WAVEfmt " + shape
    path.write_bytes(head + b"data" + struct.pack("<I", 32000) + bytes(24576))  # whole blocks
    with pytest.raises(
        MediaError, match=r"truncated: 0.77 s of the 1.00 s.*24,620 of 32,044 bytes"
    ):
        decode(path, {"a": Sound(16000, 5)})


def test_concatenated_mp3(tmp_path):
    parts = []
    for tone in (500, 900):
        part = tmp_path / f"{tone}.mp3"
        ffmpeg("-f", "lavfi", "-i", f"sine=f={tone}:r=16000:d=1", "-b:a", "32k", str(part))
        parts.append(part.read_bytes())
    path = tmp_path / "two.mp3"
    path.write_bytes(b"".join(parts))
    found = decode(path, {"a": Sound(16000, 5)})["a"]
    assert found.seconds == pytest.approx(2.1, abs=0.15)
    spectrum = np.abs(np.fft.rfft(found.array[20000:28000]))
    assert spectrum.argmax() == 450


def test_the_track_that_players_take(whole, tmp_path):
    path = tmp_path / "tracks.mkv"
    quiet = ["-f", "lavfi", "-i", "sine=f=900:d=3:r=16000"]
    ffmpeg(
        *("-i", str(whole), *quiet, *quiet, "-map", "0:v", "-map", "1:a", "-map", "0:a"),
        *("-map", "2:a", "-c:v", "copy", "-c:a", "flac", "-ac:a:2", "2"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default", "-disposition:a:2", "0"),
        str(path),
    )

    def tone(found):
        return np.abs(np.fft.rfft(found.array[1000:9000])).argmax()

    found = decode(path, {"a": Sound(8000, 2), "v": BOTH["v"]})
    assert tone(found["a"]) == tone(decode(whole, {"a": Sound(8000, 2)})["a"]) == 440
    assert (found["a"].tracks, found["v"].tracks) == (3, 1)
    ffmpeg(
        "-i", str(path), "-map", "0", "-c", "copy", "-disposition:a", "0", str(tmp_path / "n.mkv")
    )
    largest = decode(tmp_path / "n.mkv", {"a": Sound(8000, 2)})["a"]
    assert largest.seconds == pytest.approx(3, abs=0.1)
    assert tone(largest) == 900


#: Matrix of the track header (a, b, c, d) -> what a player does to the picture.
TURNS = {
    (0, 1, -1, 0): lambda image: np.rot90(image, -1),  # a telephone held upright
    (-1, 0, 0, -1): lambda image: np.rot90(image, 2),
    (0, -1, 1, 0): np.rot90,
    (-1, 0, 0, 1): np.fliplr,
    (0, 1, 1, 0): lambda image: image.transpose(1, 0, 2),
}


@pytest.mark.parametrize("matrix", TURNS)
def test_a_turned_clip_stands_upright(tmp_path, matrix):
    path = tmp_path / "x.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=5:d=1", *H264, str(path))
    before = decode(path, {"v": Pictures(Pick("first", 1), 48, 64)})["v"].array[0]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (65536 * value for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    upright = TURNS[matrix](before)
    found = decode(path, {"v": Pictures(Pick("first", 1), *upright.shape[:2])})["v"].array[0]
    assert np.array_equal(found, upright)


def test_the_centre_is_cut_out_of_what_is_shown(tmp_path):
    path = tmp_path / "x.mkv"
    bars = "color=red:s=60x40,drawbox=x=20:w=20:h=40:color=lime:t=fill"
    lossless = ["-c:v", "ffv1", "-pix_fmt", "gbrp"]
    ffmpeg("-f", "lavfi", "-i", f"{bars},setsar=2", "-frames:v", "2", *lossless, str(path))
    wide = decode(path, {"v": Pictures(Pick("first", 1), 40, 40, "crop")})["v"].array[0]
    assert (
        np.abs(wide[:, 2:-2] - np.array([0, 253, 0])).max() < 3
    )  # shown are 120 x 40: the middle third is green
    flat = decode(path, {"v": Pictures(Pick("first", 1), 40, 40)})["v"].array[0]
    assert flat[0, 5].argmax() == flat[0, 35].argmax() == 0 and flat[0, 20].argmax() == 1


def test_depth_keeps_its_range(tmp_path):
    path = tmp_path / "depth.mkv"
    values = np.linspace(500, 4000, 64 * 48).reshape(48, 64).astype("<u2")
    raw = tmp_path / "x.raw"
    raw.write_bytes(values.tobytes())
    shape = ["-f", "rawvideo", "-pix_fmt", "gray16le", "-s", "64x48"]
    ffmpeg(*shape, "-i", str(raw), "-c:v", "ffv1", str(path))
    want = Pictures(Pick("first", 1), 48, 64, channels=1, bits=16)
    found = decode(path, {"d": want})["d"].array
    assert found.dtype == np.uint16 and np.array_equal(found[0, :, :, 0], values)
    half = decode(path, {"d": Pictures(Pick("first", 1), 24, 32, channels=1, bits=16)})["d"].array
    assert np.array_equal(half[0, :, :, 0], values[1::2, 1::2])
