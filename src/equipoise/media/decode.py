"""One media file to arrays, by one ffmpeg process; a damaged file is refused, never shortened."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from equipoise.media import audio, frames, packets
from equipoise.media.ffmpeg import MediaError, MissingStreamError, binary, passthrough, run
from equipoise.params import AudioSettings, ImageSettings, VideoSettings

_SCALE = "scale={0}:{0}:flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
_BLOCKS: dict[str, Any] = {"flush_packets": 0}  # write full buffers, not every packet
_RAW = {"format": "rawvideo", "pix_fmt": "rgb24", **_BLOCKS}
#: How ffmpeg lists the stream of a modality. The cover of a piece of music is no moving picture.
_STREAM = {"video": r"Video: (?!.*\(attached pic\))", "audio": "Audio: ", "image": "Video: "}
#: Formats that are lists of other files, or text shown as a picture: never a clip.
_NOT_MEDIA = ("hls", "dash", "concat", "tty", "ffmetadata", "sdp")
#: Said by ffmpeg's readers (in every version) of a file that is cut or overwritten.
_DAMAGE = re.compile(
    r"\[in#\d.*?\[error\]|Packet (?:corrupt|mismatch)|File ended prematurely|partial file"
    r"|CRC mismatch"
)
_ERROR = re.compile(r"^(?:\[[^]]*\] )*\[(?:error|fatal|panic)\] (.+)$", re.MULTILINE)


def clip(
    path: Path, video: VideoSettings | None, sound: AudioSettings | None
) -> tuple[NDArray[np.uint8] | None, NDArray[np.float16] | None]:
    """Decode picture and sound of one file together.

    The picture is scaled to ``size`` x ``size`` and sampled as :func:`frames.pick` says; where a
    packet is not one frame (rare codecs), frames count as equally long. The sound is mixed to mono,
    resampled, cut or padded to ``seconds`` from where the sound starts. Packets of all streams are
    listed by the same process: it tells whether the file is as long as its header claims.

    What no decoder can know passes: an MPEG transport stream cut between packets, zeros inside of
    plain PCM, a lost last packet of an MP3.

    Args:
        path: The file.
        video: How the picture is wanted; None if it is not.
        sound: How the sound is wanted; None if it is not.

    Returns:
        uint8 (frames, size, size, 3) and float16 (freq, time), each None if not wanted.

    Raises:
        MediaError: Not a media file, damaged or truncated; the reason.
        MissingStreamError: No picture, or no sound, though it is wanted.
    """
    _look(path)
    pictures = frames.FrameSink(video.frames, video.size, video.size) if video else None
    heard = audio.SoundSink(audio.samples(sound)) if sound else None
    listing = bytearray()

    sinks: list[Callable[[bytes], None]] = [s for s in (pictures, heard) if s is not None]
    status, log = run(partial(_arguments, path, video, sound), [*sinks, listing.extend])
    _check_log(status, log, [m for m, given in (("video", video), ("audio", sound)) if given])
    streams = packets.parse(listing.decode("ascii", errors="replace"))
    _check_length(log, streams)
    _check_ogg(path)
    return (
        _frames(pictures, streams) if pictures else None,
        _spectrogram(heard, sound, streams) if heard and sound else None,
    )


def _arguments(
    path: Path, video: VideoSettings | None, sound: AudioSettings | None, names: list[str]
) -> list[str]:
    """Return the command line: picture, sound (if wanted) and the list of packets, in order."""
    left = iter(names)
    source = ffmpeg.input(f"file:{path.absolute()}", **_common(), xerror=None)
    outputs = []
    if video:
        scale = {"vf": _SCALE.format(video.size), **passthrough()}
        outputs.append(ffmpeg.output(source["V:0"], next(left), **_RAW, **scale))
    if sound:
        mono: dict[str, Any] = {"format": "f32le", "ac": 1, "ar": sound.rate, **_BLOCKS}
        outputs.append(ffmpeg.output(source["a:0"], next(left), **mono))
    copy = {"c": "copy", "format": "framecrc", **_BLOCKS}
    outputs.append(ffmpeg.output(source["V?"], source["a?"], next(left), **copy))
    return _compile(ffmpeg.merge_outputs(*outputs))


def still(path: Path, settings: ImageSettings) -> NDArray[np.uint8]:
    """Decode a still picture (the first frame of an animated one).

    Returns:
        uint8 (size, size, 3).

    Raises:
        MediaError: Not a picture, damaged or truncated; the reason.
    """
    _look(path)
    picture = frames.FrameSink(1, settings.size, settings.size)

    def arguments(names: list[str]) -> list[str]:
        # Through a pipe: ffmpeg would take a '%d' in the name for a series of pictures.
        source = ffmpeg.input("pipe:0", **_common(), xerror=None)
        options = {"vf": _SCALE.format(settings.size), "frames:v": 1, **_RAW}
        return _compile(ffmpeg.output(source["v:0"], names[0], **options))

    status, log = run(arguments, [picture], stdin=path)
    _check_log(status, log, ["image"])
    # Decoders mend pictures: without these, a half picture would pass.
    if found := _ERROR.search(log) or re.search(r"(EOI missing)", log):
        raise MediaError(f"damaged: {found[1]}")
    if not picture.seen:
        raise MediaError("no picture in it")
    frame: NDArray[np.uint8] = picture.frames([0], 1)[0]
    return frame


def _common() -> dict[str, Any]:
    return {
        "hide_banner": None,
        "nostats": None,
        "nostdin": None,
        "loglevel": "level+info",
        "protocol_whitelist": "file,pipe",
        "threads": 1,
        "filter_threads": 1,
    }


def _compile(graph: Any) -> list[str]:
    return [str(part) for part in ffmpeg.compile(graph, cmd=binary())]


def _look(path: Path) -> None:
    """Recognise by their first bytes the things that often stand where a clip should be."""
    try:
        str(path).encode()
        with path.open("rb") as file:
            head = file.read(512)
    except UnicodeEncodeError:  # ffmpeg-python cannot name it
        raise MediaError("its name is not UTF-8; rename it") from None
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}") from None
    if not head:
        raise MediaError("empty file")
    if head.startswith(b"version https://git-lfs"):
        raise MediaError("Git LFS pointer, not the file itself; run git lfs pull at the source")
    if re.match(rb"\s*<(!doctype|html|\?xml)", head, re.IGNORECASE):
        raise MediaError("web page, not media; download it again")


def _check_log(status: int, log: str, wanted: list[str]) -> None:
    """Judge by what ffmpeg said of a file that is to give the modalities ``wanted``."""
    inputs = re.search(r"Input #0, (\S+), from ", log)
    if inputs and inputs[1].split(",")[0] in _NOT_MEDIA:
        raise MediaError("text, not media")
    if inputs:
        for modality in wanted:
            if not re.search(rf"Stream #0:\d+.*: {_STREAM[modality]}", log):
                raise MissingStreamError(modality)
    errors = [found[1] for found in _ERROR.finditer(log)]
    if status:
        raise MediaError(_tidy(errors[0]) if errors else f"ffmpeg failed with exit {status}")
    if found := _DAMAGE.search(log):
        line = log[log.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0]
        raise MediaError("damaged or truncated: " + _tidy(line))


def _tidy(line: str) -> str:
    line = re.sub(r"\[[^]]*\] ", "", line)
    return re.sub(r"\(?0x[0-9a-f]+\)? ?", "", line).strip()


def _check_length(log: str, streams: list[packets.Stream]) -> None:
    """Compare the length that the header claims with the packets that are there."""
    if not streams:
        raise MediaError("no frames in it")
    claim = re.search(r"Duration: (\d+):(\d\d):(\d\d\.\d+)", log)
    if not claim or "Estimating duration from bitrate" in log:
        return
    claimed = int(claim[1]) * 3600 + int(claim[2]) * 60 + float(claim[3])
    found = max(stream.end_seconds for stream in streams)
    # A header may count one more packet than is there, and rounds to 10 ms.
    step = max(float(stream.interval() * stream.unit) for stream in streams)
    if found < claimed - 0.05 - 1.5 * step:
        raise MediaError(f"truncated: {found:.2f} s of the {claimed:.2f} s that its header claims")


def _check_ogg(path: Path) -> None:
    """Ogg claims no length in its header, but marks its last page."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return
        file.seek(max(0, path.stat().st_size - (1 << 17)))  # longer than any page
        tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]  # 27 bytes, the lengths of its parts, the parts
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    if not lengths or not page[5] & 4 or len(page) < 27 + len(lengths) + sum(lengths):
        raise MediaError("truncated: the last page is missing or cut")


def _frames(sink: frames.FrameSink, streams: list[packets.Stream]) -> NDArray[np.uint8]:
    stream = next((s for s in streams if s.kind == "video"), None)
    if not sink.seen or stream is None:
        raise MediaError("no frames in it")
    if sink.seen * 2 < len(stream.times):  # two fields may come as two packets
        raise MediaError(f"damaged: {sink.seen} frames of {len(stream.times)} packets decoded")
    times, end = stream.timeline()
    if len(times) != sink.seen:
        times, end = list(range(sink.seen)), sink.seen
    return sink.frames(times, end)


def _spectrogram(
    sink: audio.SoundSink, settings: AudioSettings, streams: list[packets.Stream]
) -> NDArray[np.float16]:
    stream = next((s for s in streams if s.kind == "audio"), None)
    if not sink.seen or stream is None:
        raise MediaError("no sound in it")
    seconds = sink.seen / settings.rate
    if seconds < stream.end_seconds - stream.start_seconds - 0.25:
        raise MediaError(f"damaged: {seconds:.2f} s of {stream.end_seconds:.2f} s of sound decoded")
    return audio.log_spectrogram(sink.sound(), settings.n_fft, settings.hop)
