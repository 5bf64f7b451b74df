"""Google Drive: a local server that behaves as Drive is known to behave."""

import random

import pytest
from misbehaving_server import Server, content, in_turn, ranged, redirect, status

from equipoise.data import drive
from equipoise.data.fetch import CHUNK, fetch
from equipoise.data.sources import LooseSource
from equipoise.errors import UserError

ID = "1AbC-dEf_gHiJkLmNoP"
BODY = random.Random(0).randbytes(300_000)
PAGE = "text/html; charset=utf-8"
BYTES = f"/download?id={ID}&export=download"
CONFIRMED = f"{BYTES}&confirm=t&uuid=5f0e-1%262"


def page(title, text="", code=200):
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{text}</body></html>"

    def answer(handler):
        handler.send_response(code)
        handler.send_header("Content-Type", PAGE)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answer


def warning(action):
    """The page for a large file: a form with its button and hidden fields, & as an entity."""
    fields = {"id": ID, "export": "download", "confirm": "t", "uuid": "5f0e-1&amp;2"}
    hidden = "".join(f'<input type="hidden" name="{k}" value="{v}">' for k, v in fields.items())
    return page(
        "Google Drive - Virus scan warning",
        "<style>.uc{quota:1}</style><p>Google Drive can't scan this file for viruses.</p>"
        f'<form id="download-form" action="{action}" method="get">'
        f'<input type="submit" id="uc-download-link" value="Download anyway"/>{hidden}</form>',
    )


@pytest.fixture
def server(monkeypatch):
    """Both hosts in one: /uc leads to /download, as from one host to the other."""
    monkeypatch.delenv("EQUIPOISE_MIRROR", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setattr(drive, "HOSTS", {"127.0.0.1"})
    with Server().running() as running:
        running.on(f"/uc?export=download&id={ID}", redirect(running.root + BYTES))
        yield running


def source(server, **known):
    return LooseSource(urls=[f"{server.root}/file/d/{ID}/view"], licence="none", **known)


def refused(server, tmp_path, **known):
    with pytest.raises(UserError) as caught:
        fetch(source(server, **known), tmp_path / "a.zip")
    assert "\n" not in str(caught.value) and not (tmp_path / "a.zip").exists()
    return str(caught.value)


def test_a_small_file(server, tmp_path):
    server.on(BYTES, ranged(BODY))
    fetch(source(server), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BODY
    server.asked.clear()
    fetch(source(server), tmp_path / "a.zip")
    assert server.asked == []


def test_a_large_file_is_confirmed(server, tmp_path):
    server.on(BYTES, warning(f"{server.root}/download"))
    server.on(CONFIRMED, ranged(BODY))
    fetch(source(server), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BODY


def test_it_goes_on_where_the_connection_broke(server, tmp_path):
    """The first run gets half, then a page (the confirmation is no longer good); so it says."""
    server.on(BYTES, warning("/download"))
    lost = page("Google Drive - Virus scan warning")
    answers = (ranged(BODY), ranged(BODY), ranged(BODY, 0.5), lost)
    server.on(CONFIRMED, in_turn(*answers))
    assert "an HTML page instead of the file" in refused(server, tmp_path)
    kept = len(BODY) // 2 // CHUNK * CHUNK
    server.on(CONFIRMED, ranged(BODY))
    server.asked.clear()
    fetch(source(server), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == BODY
    assert [asked for path, asked in server.asked if path == CONFIRMED] == [
        "",
        "",
        f"bytes={kept}-",
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (page("Google Drive - Quota exceeded"), "too many have fetched this file today"),
        (page("Error", "Too many users have viewed this file"), "copy it to a Drive of your own"),
        (
            page("Google Drive", "Busy"),
            "a page instead of the file, 'Google Drive'",
        ),
        (page("Sign in - Google Accounts"), "not shared with everyone"),
        (page("Not Found", "", 404), "the file is gone"),
        (page("", "Sorry, the file you have requested does not exist."), "the file is gone"),
        (warning("/download"), "the same confirmation again"),
        (warning("https://elsewhere.example/download"), "its form leads to https://elsewhere"),
        (content(b"\xff\xfe<", PAGE), "a page instead of the file, ''"),
        (status(500), "HTTP 500"),
    ],
)
def test_pages_are_refused_in_one_line(server, tmp_path, answer, words):
    server.on(BYTES, answer)
    server.on(CONFIRMED, warning("/download"))
    said = refused(server, tmp_path)
    assert words in said and f"$EQUIPOISE_MIRROR/127.0.0.1/file/d/{ID}/view" in said
    assert not list(tmp_path.iterdir())


def test_a_known_checksum_is_compared(server, tmp_path):
    server.on(BYTES, ranged(BODY))
    assert "sha256: expected" in refused(server, tmp_path, sha256="0" * 64)


def test_other_addresses_are_left_alone(server):
    for url in ("https://example.org/file/d/abc/view", f"{server.root}/a.zip"):
        assert drive.direct(url) == url
    assert server.asked == []
