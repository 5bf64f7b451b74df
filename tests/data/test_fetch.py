import hashlib
import os
import resource
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from misbehaving_server import Server, content, cut, in_turn, ranged, redirect, status, unbounded

from equipoise.data import room
from equipoise.data.fetch import fetch
from equipoise.data.sources import FileSource, LooseSource
from equipoise.errors import UserError

BODY = bytes(range(256)) * 4096
HALF = len(BODY) // 2


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("EQUIPOISE_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    with Server().running() as running:
        yield running


def file_source(*urls, body=BODY):
    digest = hashlib.sha256(body).hexdigest()
    return FileSource(urls=list(urls), size=len(body), sha256=digest, licence="none")


def part_of(path, body=BODY):
    return path.with_name(f".{path.name}.{hashlib.sha256(body).hexdigest()[:16]}.part")


def refused(source, target):
    """Fetch, expect a one-line error, and nothing under the final name."""
    with pytest.raises(UserError) as caught:
        fetch(source, target)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    return str(caught.value)


def test_plain_download_and_no_second_one(server, tmp_path):
    target = tmp_path / "new" / "a.bin"
    source = file_source(server.on("/a", content(BODY)))
    fetch(source, target)
    assert target.read_bytes() == BODY
    assert [p.name for p in target.parent.iterdir()] == ["a.bin"]
    fetch(source, target)
    assert server.asked == [("/a", "")]


def test_damaged_final_file_is_fetched_again(server, tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(BODY[:-1] + b"x")
    fetch(file_source(server.on("/a", content(BODY))), target)
    assert target.read_bytes() == BODY


def test_wrong_checksum(server, tmp_path):
    wrong = BODY[:-1] + b"x"
    url = server.on("/a", content(wrong))
    message = refused(file_source(url), tmp_path / "a.bin")
    for word in (
        url,
        "sha256: expected " + hashlib.sha256(BODY).hexdigest(),
        "got " + hashlib.sha256(wrong).hexdigest(),
        "EQUIPOISE_MIRROR/127.0.0.1/a",
    ):
        assert word in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [content(BODY[:-7]), content(BODY + b"more")])
def test_wrong_size_is_seen_before_a_byte_is_written(server, tmp_path, answer):
    message = refused(file_source(server.on("/a", answer)), tmp_path / "a.bin")
    assert f"expected {len(BODY)} bytes, the server offers" in message


def test_endless_answer_is_stopped(server, tmp_path):
    answer = unbounded(BODY * 5)
    message = refused(file_source(server.on("/a", answer)), tmp_path / "a.bin")
    assert "the server sends more" in message
    assert all(p.stat().st_size <= len(BODY) for p in tmp_path.iterdir())


def test_html_page_keeps_the_partial_file(server, tmp_path):
    target = tmp_path / "a.bin"
    part_of(target).write_bytes(BODY[:HALF])
    page = content(b"<!DOCTYPE html><p>quota exceeded", "text/html; charset=utf-8")
    message = refused(file_source(server.on("/a", page)), target)
    assert "an HTML page instead of the file" in message
    assert part_of(target).read_bytes() == BODY[:HALF]


def test_html_page_of_the_right_length_and_another_type(server, tmp_path):
    page = b"<html>".ljust(len(BODY))
    refused(file_source(server.on("/a", content(page))), tmp_path / "a.bin")


def test_cut_connection_is_continued_where_it_broke(server, tmp_path):
    source = file_source(server.on("/a", in_turn(ranged(BODY, cut_at=0.5), ranged(BODY))))
    fetch(source, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert server.asked == [("/a", ""), ("/a", f"bytes={HALF}-")]


def test_cut_connection_then_the_next_source_continues(server, tmp_path):
    first = server.on("/first", in_turn(ranged(BODY, cut_at=0.5), status(503)))
    second = server.on("/second", ranged(BODY))
    fetch(file_source(first, second), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert server.asked[-1] == ("/second", f"bytes={HALF}-")


def test_partial_file_of_an_earlier_run_is_continued(server, tmp_path):
    target = tmp_path / "a.bin"
    part_of(target).write_bytes(BODY[:HALF])
    fetch(file_source(server.on("/a", ranged(BODY))), target)
    assert target.read_bytes() == BODY
    assert server.asked == [("/a", f"bytes={HALF}-")]


def test_complete_partial_file_needs_no_server(server, tmp_path):
    target = tmp_path / "a.bin"
    part_of(target).write_bytes(BODY)
    fetch(file_source(server.root + "/a"), target)
    assert target.read_bytes() == BODY
    assert server.asked == []


@pytest.mark.parametrize("wrong", [b"x" * HALF, b"x" * len(BODY), b"x" * (len(BODY) + 1)])
def test_wrong_partial_file_is_thrown_away(server, tmp_path, wrong):
    target = tmp_path / "a.bin"
    part_of(target).write_bytes(wrong)
    fetch(file_source(server.on("/a", ranged(BODY))), target)
    assert target.read_bytes() == BODY


def test_server_without_ranges_sends_everything_again(server, tmp_path):
    target = tmp_path / "a.bin"
    part_of(target).write_bytes(b"x" * HALF)
    fetch(file_source(server.on("/a", content(BODY))), target)
    assert target.read_bytes() == BODY
    assert server.asked == [("/a", f"bytes={HALF}-")]


def test_server_that_always_cuts_at_the_same_byte_is_left(server, tmp_path):
    bad, good = server.on("/bad", cut(BODY, HALF)), server.on("/good", ranged(BODY))
    fetch(file_source(bad, good), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert [path for path, _ in server.asked] == ["/bad", "/bad", "/good"]


def test_slow_progress_has_an_end(server, tmp_path):
    url = server.on("/a", ranged(BODY, cut_at=0.1))
    message = refused(file_source(url), tmp_path / "a.bin")
    assert "connection cut 5 times" in message
    assert len(server.asked) == 5


def test_redirect_is_followed(server, tmp_path):
    url = server.on("/old", redirect("/new"))
    server.on("/new", ranged(BODY))
    fetch(file_source(url), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_second_source_after_each_kind_of_failure(server, tmp_path):
    good = server.on("/good", content(BODY))
    for number, answer in enumerate(
        [status(404), status(500), content(b"x" * len(BODY)), content(b"<html>", "text/html")]
    ):
        target = tmp_path / f"{number}.bin"
        fetch(file_source(server.on(f"/bad{number}", answer), good), target)
        assert target.read_bytes() == BODY


def test_every_source_is_named_when_all_fail(server, tmp_path):
    urls = [server.root + "/missing", "http://127.0.0.1:9/closed"]
    message = refused(file_source(*urls), tmp_path / "a.bin")
    assert f"{urls[0]}: HTTP 404" in message
    assert f"{urls[1]}: connection failed (ConnectionError)" in message


def test_mirror_is_used_without_network(server, tmp_path, monkeypatch):
    copy = tmp_path / "mirror" / "127.0.0.1" / "with space" / "a"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(BODY)
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(tmp_path / "mirror"))
    other = server.on("/other", content(BODY))
    fetch(file_source(other, server.root + "/with%20space/a"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert server.asked == []


def test_wrong_or_absent_file_in_the_mirror(server, tmp_path, monkeypatch):
    copy = tmp_path / "mirror" / "127.0.0.1" / "a"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"x" * len(BODY))
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(tmp_path / "mirror"))
    message = refused(file_source(server.root + "/a"), tmp_path / "a.bin")
    assert f"{copy}: sha256: expected" in message
    assert "HTTP 404" in message
    fetch(file_source(server.on("/b", content(BODY))), tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == BODY


def test_mirror_that_is_no_folder(server, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(tmp_path / "nowhere"))
    message = refused(file_source(server.on("/a", content(BODY))), tmp_path / "a.bin")
    assert message.startswith("EQUIPOISE_MIRROR=")
    assert server.asked == []


def test_room_on_the_disk_is_looked_at_before_a_byte_is_asked_for(server, tmp_path, monkeypatch):
    source = file_source(server.on("/a", content(BODY)))
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: SimpleNamespace(free=len(BODY) - 1))
    said = f"{tmp_path}: {len(BODY)} bytes are still to come, {len(BODY) - 1} are free there"
    assert refused(source, tmp_path / "a.bin").startswith(said)
    assert server.asked == [] and list(tmp_path.iterdir()) == []
    (tmp_path / f".a.bin.{source.sha256[:16]}.part").write_bytes(BODY[:1])
    fetch(source, tmp_path / "a.bin")  # there is room for the rest
    copy = tmp_path / "mirror/127.0.0.1/a"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(BODY)
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(tmp_path / "mirror"))
    assert refused(source, tmp_path / "b.bin").startswith(said)


def test_full_disk_names_the_path_and_the_bytes(server, tmp_path):
    source = file_source(server.on("/a", content(BODY)))
    code = f"""
from pathlib import Path
from equipoise.data.fetch import fetch
from equipoise.data.sources import FileSource, LooseSource
fetch(FileSource.model_validate_json({source.model_dump_json()!r}), Path({str(tmp_path)!r}, "a"))
"""
    limit = len(BODY) // 3

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=small_files,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("equipoise.errors.UserError")
    assert str(tmp_path) in last and f"{len(BODY)} bytes are needed" in last
    assert not (tmp_path / "a").exists()


def test_a_file_of_unknown_size_and_checksum_is_as_long_as_the_server_says(server, tmp_path):
    url = server.on("/a", ranged(BODY))
    fetch(LooseSource(urls=[url], licence="none"), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    # Once for the size, once for the file; and then never again.
    asked = list(server.asked)
    fetch(LooseSource(urls=[url], licence="none"), tmp_path / "a.bin")
    assert server.asked == asked == [("/a", "")] * 2


def test_a_file_of_unknown_size_that_is_cut_is_continued(server, tmp_path):
    answers = in_turn(ranged(BODY), ranged(BODY, cut_at=0.5), ranged(BODY))
    source = LooseSource(urls=[server.on("/a", answers)], licence="none")
    fetch(source, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_the_beginning_of_a_checksum_is_checked(server, tmp_path):
    digest = hashlib.sha256(BODY).hexdigest()
    url = server.on("/a", content(BODY))
    fetch(LooseSource(urls=[url], sha256=digest[:8], licence="none"), tmp_path / "a.bin")
    wrong = LooseSource(urls=[url], sha256="0" * 8, licence="none")
    assert "sha256: expected 00000000, got" in refused(wrong, tmp_path / "b.bin")


@pytest.mark.parametrize(
    ("answer", "words"),
    [(status(503), "HTTP 503"), (unbounded(BODY), "does not state the size")],
)
def test_a_server_that_says_no_size_is_named(server, tmp_path, answer, words):
    source = LooseSource(urls=[server.on("/a", answer)], licence="none")
    assert words in refused(source, tmp_path / "a.bin")
