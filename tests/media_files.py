"""Small media files that several tests decode, made once for each test session (fixture clips)."""

import subprocess
from pathlib import Path

import pytest

from equipoise.media.ffmpeg import binary

#: Frame n of these pictures has luma 16 + 8 n, so that a decoded frame says which one it is.
NUMBERED = "color=black:s=32x32:r={rate},format=yuv444p,trim=end_frame={frames},"
NUMBERED += "geq=lum='16+8*N':cb=128:cr=128"
TONE = "sine=f=1000:r=16000:d={seconds}"


def ffmpeg(*arguments: str) -> None:
    subprocess.run([binary(), "-v", "error", "-y", *arguments], check=True)


def numbered(rate: str, frames: int) -> list[str]:
    return ["-f", "lavfi", "-i", NUMBERED.format(rate=rate, frames=frames)]


def tone(seconds: float) -> list[str]:
    return ["-f", "lavfi", "-i", TONE.format(seconds=seconds)]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of intact clips of about a second."""
    folder = tmp_path_factory.mktemp("clips")
    moving = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1.2", *tone(1.2)]
    h264 = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]
    ffmpeg(*moving, *h264, str(folder / "plain.mp4"))
    ffmpeg(*moving, *h264, "-movflags", "+faststart", str(folder / "fast.mp4"))
    ffmpeg(*moving, *h264, str(folder / "plain.mkv"))
    flash = ["-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "22050"]
    ffmpeg(*moving, *flash, str(folder / "plain.flv"))
    ffmpeg(*moving, "-c:a", "libvorbis", "-map", "1:a", str(folder / "tone.ogg"))
    lossless = ["-c:v", "ffv1", "-c:a", "flac"]
    ffmpeg(*numbered("25", 25), *tone(1), *lossless, str(folder / "numbered.mkv"))
    ffmpeg(*numbered("30000/1001", 15), *lossless, str(folder / "ntsc.mkv"))
    ffmpeg(*numbered("25", 3), *lossless, str(folder / "short.mkv"))
    slow = ["-vf", "setpts='if(lt(N,8),N,8+(N-8)*8)/25/TB'", "-fps_mode", "passthrough"]
    ffmpeg(*numbered("25", 16), *slow, *lossless, str(folder / "vfr.mkv"))
    ffmpeg(*tone(1), str(folder / "tone.wav"))
    still = ["-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1"]
    ffmpeg(*still, str(folder / "still.png"))
    ffmpeg(*still, str(folder / "still.jpg"))
    return folder
