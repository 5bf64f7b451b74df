from functools import partial

import numpy as np
import pytest
from media_files import ffmpeg

from equipoise.media.decode import decode
from equipoise.media.errors import MediaError
from equipoise.media.pool import DecodePool
from equipoise.media.wants import Pick, Pictures, Sound


def heard(path, seconds=4.0, rate=16000, place="start"):
    return decode(path, {"a": Sound(rate, seconds, place)})["a"]


def onset(found, rate=16000):
    """When the first loud sample sounds, in seconds."""
    return float(np.flatnonzero(np.abs(found.array) > 0.05)[0]) / rate


@pytest.fixture(scope="module")
def beeps(tmp_path_factory):
    """One beep at 2.0 s of the file's clock; the picture starts at 0 (F06 of the cases)."""
    folder = tmp_path_factory.mktemp("beeps")
    picture = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=4"]

    def beep(start, seconds, name, *more):
        loud = f"volume='if(between(t,{start},{start + 0.2}),1,0)':eval=frame"
        source = f"sine=f=1000:r=16000:d={seconds}:samples_per_frame=160,{loud}"
        ffmpeg("-f", "lavfi", "-i", source, "-c:a", "pcm_s16le", *more, str(folder / name))

    beep(2, 4, "whole.wav")
    beep(1, 3, "last3.wav")
    h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    ffmpeg(
        *picture, "-i", str(folder / "whole.wav"), *h264, "-c:a", "copy", str(folder / "sync.mkv")
    )
    ffmpeg(
        *("-i", str(folder / "sync.mkv"), "-itsoffset", "1", "-i", str(folder / "last3.wav")),
        *("-map", "0:v", "-map", "1:a", "-c", "copy", str(folder / "late.mkv")),
    )
    for name, end in (("gap", 0.63), ("gap_long", 1.1)):
        cut = f"aselect='not(between(t,0.5,{end}))'"
        out = folder / f"{name}.mkv"
        ffmpeg(
            "-i",
            str(folder / "sync.mkv"),
            "-c:v",
            "copy",
            "-af",
            cut,
            "-c:a",
            "pcm_s16le",
            str(out),
        )
    ffmpeg(
        *("-i", str(folder / "late.mkv"), "-c:v", "copy", "-c:a", "aac"),
        *("-af", "aselect=1", str(folder / "late.mp4")),
    )
    return folder


@pytest.mark.parametrize("name", ["sync.mkv", "late.mkv", "gap.mkv", "gap_long.mkv", "late.mp4"])
def test_sound_stays_beside_its_picture(beeps, name):
    found = heard(beeps / name)
    assert onset(found) == pytest.approx(2.0, abs=0.025)
    assert found.seconds == pytest.approx(4.0, abs=0.07)


def test_before_a_late_sound_and_in_a_gap_is_silence(beeps):
    assert not heard(beeps / "late.mkv").array[:15900].any()
    assert not heard(beeps / "gap_long.mkv").array[8800:17000].any()


def test_picture_and_sound_count_from_one_origin(beeps, tmp_path):
    path = tmp_path / "picture_late.mkv"
    ffmpeg(
        *("-itsoffset", "1", "-i", str(beeps / "sync.mkv"), "-i", str(beeps / "whole.wav")),
        *("-map", "0:v", "-map", "1:a", "-c", "copy", str(path)),
    )
    found = decode(path, {"a": Sound(16000, 9), "v": Pictures(Pick("every", 7, 0.5), 48, 64)})
    assert onset(found["a"]) == pytest.approx(2.0, abs=0.025)
    assert found["v"].seconds == pytest.approx(5.0, abs=0.05)
    frames = found["v"].array
    assert np.array_equal(frames[0], frames[1]) and np.array_equal(frames[1], frames[2])
    first = decode(path, {"v": Pictures(Pick("first", 14), 48, 64)})["v"].array
    assert np.array_equal(frames[2], first[0]) and np.array_equal(frames[3], first[13 - 1])


def test_centre_of_a_longer_recording(beeps):
    found = heard(beeps / "sync.mkv", 1.0, place="centre")
    assert found.array.shape == (16000,) and found.seconds == 4.0
    assert onset(found) == pytest.approx(0.5, abs=0.025)  # 2.0 s - (4 - 1) / 2
    whole = heard(beeps / "sync.mkv", 9.0, place="centre")
    assert whole.array.shape == (64000,)


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
@pytest.mark.parametrize("codec", [".wav", ".flac", ".m4a"])
def test_loudness_does_not_tell_the_number_of_channels(tmp_path, layout, codec):
    count = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    equal = f"pan={layout}|" + "|".join(f"c{n}=c0" for n in range(count))
    path = tmp_path / f"x{codec}"
    source = "aevalsrc=0.25*sin(2*PI*1000*t):s=16000:d=2"
    ffmpeg("-f", "lavfi", "-i", source, "-af", equal, "-b:a", "500k", str(path))
    sound = heard(path, 2.0).array[4000:28000]
    rms = float(np.sqrt((sound**2).mean()))
    loss = 0.12 if codec == ".m4a" else 0.001  # the low-frequency channel loses its treble in AAC
    assert rms == pytest.approx(0.25 / 2**0.5, rel=loss + (count == 6) * (codec == ".m4a") * 0.1)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *(("aiff", "pcm_s16be"), ("caf", "pcm_s32le"), ("mov", "pcm_s16le"), ("wav", "pcm_f32le")),
        *(("flac", "flac"), ("ogg", "libvorbis"), ("opus", "libopus"), ("m4a", "aac")),
    ],
)
def test_eight_channels_whose_places_are_listed(tmp_path, suffix, codec):
    path = tmp_path / f"x.{suffix}"
    equal = "pan=7.1|" + "|".join(f"c{n}=c0" for n in range(8))
    more = ["-mapping_family", "255"] if codec == "libopus" else []
    source = "aevalsrc=0.25*sin(2*PI*100*t):s=48000:d=1"  # the low-frequency channel has it, too
    ffmpeg("-f", "lavfi", "-i", source, "-af", equal, "-c:a", codec, *more, str(path))
    with DecodePool(1) as pool:  # a crash would be of one worker
        wants = {"s": Sound(16000, 1.0)}
        results = list(pool.map(partial(decode, wants=wants), [path] * 3))
    for result in results:
        assert not isinstance(result, MediaError), result
        assert np.abs(result["s"].array[4000:12000]).max() == pytest.approx(0.25, abs=0.03)


def test_mono_is_the_mean_of_the_channels(tmp_path):
    path = tmp_path / "two.wav"
    source = "aevalsrc=0.5|-0.25:s=8000:d=1"
    ffmpeg("-f", "lavfi", "-i", source, "-c:a", "pcm_f32le", str(path))
    assert np.array_equal(heard(path, rate=8000).array, np.full(8000, 0.125, np.float32))


@pytest.mark.parametrize(
    ("codec", "step"),
    [
        *[("u8", 2**-7), ("s16le", 2**-15), ("s24le", 2**-22), ("alaw", 0.02), ("mulaw", 0.02)],
        *[(name, 1e-7) for name in ("s32le", "s64le", "f32le", "f64le")],
    ],
)
def test_every_way_to_store_a_sample(tmp_path, codec, step):
    path = tmp_path / "x.wav"
    source = "aevalsrc=0.5*sin(2*PI*100*t)|0.5*sin(2*PI*100*t):s=8000:d=1"
    ffmpeg("-f", "lavfi", "-i", source, "-c:a", f"pcm_{codec}", str(path))
    wanted = 0.5 * np.sin(2 * np.pi * 100 * np.arange(8000) / 8000)
    assert np.abs(heard(path, rate=8000).array - wanted).max() <= step


@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_a_number_that_is_none_is_refused_by_its_name(tmp_path, value, name):
    sound = np.zeros((8000, 1), "<f4")
    sound[100] = value
    raw, path = tmp_path / "x.raw", tmp_path / "x.wav"
    raw.write_bytes(sound.tobytes())
    ffmpeg("-f", "f32le", "-ar", "8000", "-ac", "1", "-i", str(raw), "-c", "copy", str(path))
    with pytest.raises(MediaError, match=rf"the sound holds {name} \(at 0.0125 s\)"):
        heard(path)


@pytest.mark.parametrize("codec", ["libvorbis", "libopus", "flac"])
def test_chained_recordings_are_heard_one_after_the_other(tmp_path, codec):
    parts = []
    for number, tone in enumerate((1000, 600)):
        part = tmp_path / f"{number}.ogg"
        source = f"sine=f={tone}:r=16000:d=1,volume=2"
        ffmpeg("-f", "lavfi", "-i", source, "-c:a", codec, str(part))
        parts.append(part.read_bytes())
    path = tmp_path / "chained.ogg"
    path.write_bytes(b"".join(parts))
    found = heard(path)
    assert found.seconds == pytest.approx(2.0, abs=0.05)
    for start, tone in ((2000, 1000), (20000, 600)):
        spectrum = np.abs(np.fft.rfft(found.array[start : start + 8000]))
        assert spectrum.argmax() == tone // 2


def test_a_chain_that_changes_its_channels_is_refused_by_name(tmp_path):
    parts = []
    for count in (1, 2):
        part = tmp_path / f"{count}.ogg"
        ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-ac", str(count), "-c:a", "libvorbis", str(part))
        parts.append(part.read_bytes())
    path = tmp_path / "chained.ogg"
    path.write_bytes(b"".join(parts))
    with pytest.raises(MediaError, match=r"not read here \(Channel change"):
        heard(path)


def test_a_change_of_rate_inside_a_file(tmp_path):
    parts = []
    for rate in (16000, 24000):
        part = tmp_path / f"{rate}.mp3"
        source = f"sine=f=1000:r={rate}:d=1,volume=2"
        bare = ["-write_xing", "0", "-id3v2_version", "0"]
        ffmpeg("-f", "lavfi", "-i", source, "-c:a", "libmp3lame", *bare, str(part))
        parts.append(part.read_bytes())
    path = tmp_path / "two.mp3"
    path.write_bytes(b"".join(parts))
    found = heard(path)
    assert found.seconds == pytest.approx(2.1, abs=0.1)
    for start in (3000, 20000):
        spectrum = np.abs(np.fft.rfft(found.array[start : start + 8000]))
        assert spectrum.argmax() == 500
