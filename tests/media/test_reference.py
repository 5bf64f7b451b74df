"""What the libraries in the process give is compared with what the ffmpeg program gives."""

import numpy as np
import pytest
import reference
from media_files import ffmpeg

from equipoise.media.decode import decode
from equipoise.media.wants import Pick, Pictures, Sound

H264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "10", "-bf", "2"]
#: Name -> how it is written, where its samples of colour lie, channels.
FILES = {
    "h264.mp4": ([*H264, "-c:a", "aac"], "left", 1),
    "h264.mkv": ([*H264, "-c:a", "libopus", "-ar", "48000", "-ac", "2"], "left", 2),
    "h264.ts": ([*H264, "-c:a", "aac"], "left", 1),
    "flash.flv": (["-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "22050"], "center", 1),
    "mpeg4.avi": (["-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"], "left", 1),
    "vp9.webm": (["-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libvorbis"], "center", 1),
    "lossless.mkv": (["-c:v", "ffv1", "-pix_fmt", "yuv444p", "-c:a", "flac"], "auto", 1),
    "mpeg2.mpg": (["-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"], "left", 1),
    "prores.mov": (["-c:v", "prores", "-pix_fmt", "yuv422p10le", "-c:a", "pcm_s16le"], "center", 1),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Clips of 1.6 s, 25 frames a second, that move in all their parts."""
    folder = tmp_path_factory.mktemp("made")
    moving = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=1.6"]
    moving += ["-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*(300+400*t)*t):s=16000:d=1.6"]
    for name, (options, _, _) in FILES.items():
        chroma = [] if "-pix_fmt" in options else ["-pix_fmt", "yuv420p"]
        ffmpeg(*moving, *chroma, *options, str(folder / name))
    for name, options in {
        "cut.mp4": ["-ss", "0.5", "-i", str(folder / "h264.mp4")],  # edit list, negative times
        "cut.mkv": ["-ss", "0.5", "-i", str(folder / "h264.mkv")],
        "cut_opus.mp4": ["-ss", "0.3", "-i", str(folder / "h264.mkv")],  # pre-roll of Opus
        "late.mkv": ["-i", str(folder / "h264.mkv"), "-output_ts_offset", "7"],
    }.items():
        ffmpeg(*options, "-c", "copy", str(folder / name))
    drop = "select='gt(mod(n,7),2)+lt(n,5)'"
    vfr = [*H264, "-vf", drop, "-fps_mode", "vfr", "-c:a", "aac"]
    ffmpeg("-i", str(folder / "h264.mp4"), *vfr, str(folder / "vfr.mp4"))
    ffmpeg("-ss", "0.4", "-i", str(folder / "vfr.mp4"), "-c", "copy", str(folder / "vfr_cut.mp4"))
    return folder


CUTS = {"cut.mp4": "left", "cut.mkv": "left", "cut_opus.mp4": "left", "late.mkv": "left"}
CUTS |= {"vfr.mp4": "left", "vfr_cut.mp4": "left"}
CHROMA = {name: chroma for name, (_, chroma, _) in FILES.items()} | CUTS


@pytest.mark.parametrize("name", CHROMA)
def test_every_frame_is_that_of_the_program(made, name):
    theirs = reference.frames(made / name, 96, 112, CHROMA[name])
    ours = decode(made / name, {"v": Pictures(Pick("first", len(theirs)), 96, 112)})["v"]
    assert ours.frames == len(theirs) > 10
    # the same decoders and the same scaler, of another version
    assert np.abs(ours.array.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("name", CHROMA)
@pytest.mark.parametrize("count", [3, 8])
def test_the_frames_in_the_middle_of_equal_parts_are_those_the_program_shows(made, name, count):
    picture = reference.shown(made / name, "V:0")
    origin = min(picture[0][0], reference.shown(made / name, "a:0")[0][0])
    begins = np.array([begin for begin, _ in picture]) - origin
    middles = (np.arange(count) + 0.5) * (picture[-1][1] - origin) / count
    near = np.abs(begins[:, None] - middles).min() < 0.003
    picked = np.searchsorted(begins, middles, "right") - 1
    assert len(set(picked)) == count
    theirs = reference.frames(made / name, 96, 112, CHROMA[name])[picked]
    ours = decode(made / name, {"v": Pictures(Pick("even", count), 96, 112)})["v"]
    wrong = np.abs(ours.array.astype(int) - theirs).max(axis=(1, 2, 3)) > 1
    assert not wrong.any() or near


@pytest.mark.parametrize("name", CHROMA)
@pytest.mark.parametrize("rate", [16000, 22050])
def test_every_sample_is_that_of_the_program(made, name, rate):
    channels = 2 if name in ("h264.mkv", "cut.mkv", "cut_opus.mp4", "late.mkv") else 1
    theirs = reference.sound(made / name, rate, channels)
    ours = decode(made / name, {"a": Sound(rate, 9)})["a"].array
    # The program plays the last packet of Opus to its end, whatever the edit list says.
    slack = 0.02 if name == "cut_opus.mp4" else 0.002
    assert abs(len(ours) - len(theirs)) <= slack * rate
    # The program leaves a start between two samples, or within the first ms, to its resampler.
    lags = range(-(rate // 900), rate // 900 + 1)
    inner = slice(rate // 100, min(len(ours), len(theirs)) - rate // 100)
    off = [np.abs(ours[inner] - np.roll(theirs, lag)[inner]).max() for lag in lags]
    assert min(off) < (0.03 if name == "vp9.webm" else 1e-6)
