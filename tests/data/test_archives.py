"""Archives read as a stream, from a server that misbehaves; what is kept of them, and what not."""

import gzip
import io
import random
import tarfile

import pytest
from misbehaving_server import Server, content, cut, in_turn, ranged, status, unbounded

from equipoise import files
from equipoise.data import archives, body
from equipoise.data.fetch import WrongError
from equipoise.data.sources import StreamSource

#: Bytes that do not shrink: breaks in the middle of a packed file are in the middle of a clip.
NOISE = {f"c{n}.mp4": random.Random(n).randbytes(40_000 + n) for n in range(8)}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("EQUIPOISE_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(body, "PAUSE", 0.0)
    with Server().running() as running:
        yield running


def regular(name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    return entry, io.BytesIO(data)


def special(name, kind, target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry, None


def tar(*members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for entry, data in members:
            archive.addfile(entry, data)
    return file.getvalue()


PLAIN = tar(*(regular(name, data) for name, data in NOISE.items()))
PACKED = gzip.compress(PLAIN)
ODD = ["c1.mp4", "c3.mp4", "c5.mp4", "c7.mp4"]


def odd(name):
    return name if name in ODD else ""


def take(url, folder, pick=odd):
    return archives.take(url, folder / "train", folder / "archives" / "a.txt", pick)


def below(folder):
    """Every file there, also those with a name that is not final, to its bytes."""
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if not p.is_dir()}
    return {name: path.read_bytes() for name, path in found.items()}


def expect_odd(folder):
    listing = "".join(f"{name}\n" for name in NOISE).encode()
    expected = {f"train/{name}": NOISE[name] for name in ODD} | {"archives/a.txt": listing}
    assert below(folder) == expected


def refused(url, folder, pick=odd):
    """Read, expect an error, and nothing under a final name; return what is said."""
    with pytest.raises(WrongError) as caught:
        take(url, folder, pick)
    assert not any(name.endswith(".txt") for name in below(folder))
    assert not [p for p in (folder / "train").iterdir() if not p.name.endswith(".part")]
    return str(caught.value)


@pytest.mark.parametrize("whole", [PACKED, PLAIN], ids=["tar.gz", "tar under that name"])
@pytest.mark.parametrize("answer", [content, unbounded])
def test_what_is_wanted_is_kept(server, tmp_path, whole, answer):
    assert take(server.on("/a.tar.gz", answer(whole)), tmp_path) == 4
    expect_odd(tmp_path)
    assert not (tmp_path / "train" / ".a.tar.gz.part").exists()


def test_a_cut_connection_goes_on_inside_the_archive(server, tmp_path):
    half = len(PACKED) // 2
    url = server.on("/a.tar.gz", in_turn(ranged(PACKED, cut_at=0.5), status(503), ranged(PACKED)))
    take(url, tmp_path)
    expect_odd(tmp_path)
    assert server.asked == [("/a.tar.gz", ""), *[("/a.tar.gz", f"bytes={half}-")] * 2]


def test_without_ranges_it_begins_again(server, tmp_path):
    url = server.on("/a.tar.gz", in_turn(cut(PACKED, 150_000), content(PACKED)))
    take(url, tmp_path)
    expect_odd(tmp_path)
    assert [asked for _, asked in server.asked] == ["", "bytes=150000-", ""]


def test_another_file_under_the_same_address_is_not_put_together(server, tmp_path):
    """The answer to a range has another total size: another version."""
    other = gzip.compress(tar(*(regular(n, d[::-1] + b"x") for n, d in NOISE.items())))
    url = server.on("/a.tar.gz", in_turn(ranged(PACKED, cut_at=0.5), ranged(other), ranged(PACKED)))
    take(url, tmp_path)
    expect_odd(tmp_path)
    assert len(server.asked) == 3


def test_a_connection_that_always_breaks_has_an_end(server, tmp_path):
    said = refused(server.on("/a.tar.gz", cut(PACKED, 100_000)), tmp_path)
    assert "cut at byte 100000" in said and said.endswith("5 times")
    said = refused(
        server.on("/b.tar.gz", in_turn(ranged(PACKED, 0.5), ranged(PACKED, 0.0))), tmp_path
    )
    assert said.endswith(f" at byte {len(PACKED) // 2}, 5 times in a row")


def test_breaks_are_forgotten_when_it_goes_well(server, tmp_path, monkeypatch):
    monkeypatch.setattr(body, "STEADY", 10_000)
    url = server.on("/a.tar.gz", ranged(PACKED, cut_at=0.2))  # a fifth of the rest, each time
    said = refused(url, tmp_path)
    assert len(server.asked) > 9 and "5 times in a row" in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(404), "HTTP 404"),
        (status(500), "HTTP 500 at byte 0, 5 times in a row"),
        (content(b"<!doctype html><p>quota", "text/html; charset=utf-8"), "an HTML page"),
        (content(b"\n<!DOCTYPE html><p>quota"), "a web page"),
        (content(b""), "cut or damaged"),
        (content(PACKED[: len(PACKED) // 2]), "cut or damaged"),
        (unbounded(PACKED[:-4]), "cut or damaged"),
        (content(PACKED[:-8] + bytes(8)), "damaged"),  # CRC and length of gzip
        (content(PLAIN[: len(PLAIN) // 1024 * 512]), "cut"),
        (content(PLAIN.rstrip(b"\0") + bytes(300)), "cut"),
        (content(b"Rar!\x1a\x07" + NOISE["c0.mp4"]), "no archive"),
    ],
)
def test_what_is_no_whole_archive_leaves_nothing(server, tmp_path, answer, words):
    assert words in refused(server.on("/a.tar.gz", answer), tmp_path)


def test_what_stands_before_the_damage_is_kept_if_asked_for(server, tmp_path):
    """It breaks off in clip 5, at 5/8 of the bytes; clip 3, the last before it, is not trusted."""
    url = server.on("/a.tar.gz", content(PACKED[: len(PACKED) * 11 // 16]))
    assert "cut or damaged" in refused(url, tmp_path)
    with pytest.raises(WrongError, match=r"cut or damaged.*; 1 files before it"):
        archives.take(url, tmp_path / "train", tmp_path / "archives" / "a.txt", odd, salvage=True)
    assert below(tmp_path) == {f"train/{ODD[0]}": NOISE[ODD[0]]}


def test_a_wrong_checksum_alone_says_nothing_of_the_place(server, tmp_path):
    """The bytes of clip 1 do not shrink: they unpack, and only the CRC at the end is wrong."""
    damaged = bytearray(PACKED)
    damaged[60_000:60_100] = bytes(100)
    url = server.on("/a.tar.gz", content(bytes(damaged)))
    with pytest.raises(WrongError, match=r"damaged.*CRC"):
        archives.take(url, tmp_path / "train", tmp_path / "archives" / "a.txt", odd, salvage=True)
    assert not [name for name in below(tmp_path) if ".part/" not in name]


def test_of_a_connection_that_breaks_nothing_is_kept(server, tmp_path):
    url = server.on("/a.tar.gz", cut(PACKED, 200_000))
    with pytest.raises(WrongError, match=r"5 times$"):
        archives.take(url, tmp_path / "train", tmp_path / "archives" / "a.txt", odd, salvage=True)
    assert not [name for name in below(tmp_path) if ".part/" not in name]


def test_an_archive_cut_between_two_members(server, tmp_path):
    """tarfile takes this for the end; the CRC of gzip is that of the cut file."""
    whole = tar(regular("c1.mp4", b"x" * 512))[:1024]
    assert "does not end as a tar" in refused(
        server.on("/a.tar.gz", content(gzip.compress(whole))), tmp_path
    )


def test_nothing_is_written_where_an_archive_says(server, tmp_path):
    members = [
        regular("/etc/c1.mp4", b"absolute"),
        regular("../../c3.mp4", b"above"),
        special("c5.mp4", tarfile.SYMTYPE, "/etc/passwd"),
        special("c7.mp4", tarfile.LNKTYPE, "../../c3.mp4"),
        special("dev/c7.mp4", tarfile.CHRTYPE),
        special("fifo/c7.mp4", tarfile.FIFOTYPE),
        special("c7.mp4", tarfile.DIRTYPE),
        regular("home/x/c5.mp4\nevil", b"two lines"),
    ]
    take(server.on("/a.tar.gz", content(gzip.compress(tar(*members)))), tmp_path / "inner")
    assert below(tmp_path) == {
        "inner/train/c1.mp4": b"absolute",
        "inner/train/c3.mp4": b"above",
        "inner/archives/a.txt": b"c1.mp4\nc3.mp4\n",
    }


def long_header():
    """A remark of 4 MB, which tarfile would read at once; packed it is small."""
    entry, data = regular("c1.mp4", b"x")
    entry.pax_headers = {"comment": "z" * 4_000_000}
    return tar((entry, data))


def sparse():
    """GNU's sparse file: its size is a claim, its body nothing."""
    header = bytearray(tarfile.TarInfo("c1.mp4").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[483:495] = b"77777777777\0"  # real size, octal
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


@pytest.mark.parametrize(
    ("whole", "limits", "words"),
    [
        (long_header(), {}, "1048576 bytes of names and remarks"),
        (sparse(), {}, "sparse"),
        (PLAIN, {"MEMBERS": 7}, "more than 7 members"),
        (PLAIN, {"LARGEST": 40_000}, "c1.mp4: 40001 bytes, more than 40000"),
        (PLAIN, {"UNPACKED": 100_000}, "more than 100000 bytes unpacked"),
    ],
)
def test_limits(server, tmp_path, monkeypatch, whole, limits, words):
    for name, value in limits.items():
        monkeypatch.setattr(archives, name, value)
    assert words in refused(server.on("/a.tar.gz", content(gzip.compress(whole))), tmp_path)


def test_a_killed_run_leaves_no_final_name_and_the_next_is_whole(server, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(path, text):
        raise Killed

    url = server.on("/a.tar.gz", content(PACKED))
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_text", kill)
        with pytest.raises(Killed):
            take(url, tmp_path)
    assert archives.known(tmp_path / "archives/a.txt") is None
    (tmp_path / "train/.a.tar.gz.part").mkdir()
    (tmp_path / "train/.a.tar.gz.part/c0.mp4").write_bytes(b"half")
    take(url, tmp_path)
    expect_odd(tmp_path)


def source(url, holds="addresses"):
    return StreamSource(urls=[url], holds=holds, licence="none")


def test_addresses_of_archives(server):
    first, second = f"{server.root}/train/part_0.tar.gz", f"{server.root}/train/part_1.tar.gz"
    url = server.on("/list.txt", content(f"{first}\r\n{second}\n\n{first}\n".encode()))
    assert archives.addresses(source(url)) == [first, second]
    assert archives.addresses(source(url, "archive")) == [url]
    both = StreamSource(urls=[first, second], holds="archives", licence="none")
    assert archives.addresses(both) == [first, second]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>quota</html>",
        "https://elsewhere.example/part_0.tar.gz",
        "file:///etc/passwd.tar.gz",
        "{root}/train/part_0.tar.gz\n{root}/train/readme.md",
        "{root}/part_0.tar.gz\n" * 60_000,
    ],
)
def test_a_list_that_names_something_else_is_refused(server, text):
    url = server.on("/list.txt", content(text.format(root=server.root).encode()))
    with pytest.raises(WrongError, match="no list of archives"):
        archives.addresses(source(url))


def test_from_a_mirror(server, tmp_path, monkeypatch):
    kept = tmp_path / "mirror" / "127.0.0.1" / "a.tar.gz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(PACKED)
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(tmp_path / "mirror"))
    take(f"{server.root}/a.tar.gz", tmp_path / "clips")
    expect_odd(tmp_path / "clips")
    assert server.asked == []
