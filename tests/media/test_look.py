"""Only regular files of known formats are opened, and nothing that they name."""

import os
import socket
import struct

import numpy as np
import pytest
from media_files import ffmpeg

from equipoise.media import look
from equipoise.media.decode import decode
from equipoise.media.errors import MediaError
from equipoise.media.wants import Pick, Pictures, Sound, Still

WANTS = [
    {"v": Pictures(Pick("even", 2), 8, 8)},
    {"a": Sound(8000, 1.0)},
    {"i": Still(8, 8)},
]


def refused(path, reason):
    for wants in WANTS:
        with pytest.raises(MediaError, match=reason):
            decode(path, wants)


def test_pipes_folders_sockets_and_devices_are_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", "^a named pipe, not a file$")  # opening it would wait for ever
    refused(tmp_path, "^a folder, not a file$")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the names of sockets are short
        server.bind("s.mp4")
        refused(tmp_path / "s.mp4", "^a socket, not a file$")
    (tmp_path / "link.mp4").symlink_to("/dev/zero")
    refused(tmp_path / "link.mp4", "^a device, not a file$")
    refused(tmp_path / "none.mp4", "cannot be read: No such file")


LISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile '{}'\n",
    "list.sdp": "v=0\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5 RTP/AVP 96\n",
    "list.mpd": '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{}</BaseURL></MPD>',
    "meta.txt": ";FFMETADATA1\ntitle={}\n",
    "words.srt": "1\n00:00:00,500 --> 00:00:10,000\n{}\n",
    "list.ram": "file://{}\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_other_files_open_nothing(clips, tmp_path, name):
    inner = tmp_path / "inner.mp4"
    os.mkfifo(inner)  # to open it would hang
    (tmp_path / name).write_text(LISTS[name].format(inner))
    refused(tmp_path / name, "no media format|header cannot be read|web page")


def test_a_series_of_pictures_is_one_picture(clips, tmp_path):
    for number in range(5):
        colour = f"color=c={['red', 'lime', 'blue', 'white', 'black'][number]}:s=16x16"
        ffmpeg("-f", "lavfi", "-i", colour, "-frames:v", "1", str(tmp_path / f"f{number}.png"))
    (tmp_path / "f%d.png").write_bytes((clips / "still.png").read_bytes())
    found = decode(tmp_path / "f%d.png", {"v": Pictures(Pick("even", 4), 48, 64)})["v"]
    assert found.frames == 1
    own = decode(clips / "still.png", {"i": Still(48, 64)})["i"].array
    assert all(np.array_equal(frame, own) for frame in found.array)


@pytest.mark.parametrize("name", ["plain.flv", "plain.mkv", "numbered.mkv", "tone.wav"])
def test_claimed_size_is_the_size(clips, tmp_path, name):
    data = (clips / name).read_bytes()
    size = look.claimed_size(clips / name, look.head(clips / name))
    assert size is not None and size <= len(data) < size + 600  # a Matroska index is behind it
    path = tmp_path / name
    path.write_bytes(data[: size - 1])
    assert look.claimed_size(path, look.head(path)) == size
    path.write_bytes(data + b"remarks")
    assert look.claimed_size(path, look.head(path)) == size


def test_headers_that_do_not_tell(tmp_path):
    path = tmp_path / "x"
    live = b"\x1aE\xdf\xa3\x80" + b"\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff"
    live += b"\x1fC\xb6u\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(50)
    for data in (
        live,
        b"RIFF\x00\x00\x00\x00AVI ",
        b"ID3\x04" + bytes(60),
        b"FORM\x00\x00\x00\x00",
    ):
        path.write_bytes(data)
        assert look.claimed_size(path, look.head(path)) is None


def test_rf64_has_its_size_elsewhere(tmp_path):
    path = tmp_path / "x.wav"
    large = struct.pack("<QQQI", 100, 64000, 32000, 0)
    head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", len(large)) + large
    path.write_bytes(head + b"data\xff\xff\xff\xff")
    assert look.claimed_size(path, look.head(path)) == len(head) + 8 + 64000
