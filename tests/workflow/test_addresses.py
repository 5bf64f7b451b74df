"""The script that asks every server: what it reads, what it says, and that offline is no fault."""

import http.server
import importlib
import socket
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "workflow/scripts"), *sys.path])
    return importlib.import_module("addresses")


@pytest.fixture
def server():
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(404 if "gone" in self.path else 200)
            self.send_header("Content-Length", "7")
            self.end_headers()

        def log_message(self, *_): ...

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_both_lists_are_read_to_the_last_address(script):
    for path in script.LISTS:
        found = [one.url for one in script.addresses(path)]
        assert found and sorted(found) == sorted(
            line.partition('"')[2].partition('"')[0]
            for line in path.read_text().replace("[", "\n").replace(", ", "\n").splitlines()
            if line.strip().startswith('"http')
        )


def test_what_is_wrong_is_named(script, server, tmp_path, monkeypatch, capsys):
    table = tmp_path / "sources.toml"
    table.write_text(
        f'[good]\nurls = ["{server}/a"]\nsize = 7\n[short]\nurls = ["{server}/b"]\nsize = 8\n'
        f'[weights]\n[weights.files."w.bin"]\nurls = ["{server}/gone", "{server}/w"]\nsize = 0\n'
    )
    monkeypatch.setattr(script, "LISTS", (table,))
    assert script.main() == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        f"short: {server}/b: 7 bytes, not 8",
        f"weights/w.bin: {server}/gone: HTTP Error 404: Not Found",
    ]
    assert last == "4 addresses, 2 of them wrong"


def test_offline_is_said_and_no_fault(script, monkeypatch, capsys):
    def nowhere(*_):
        raise socket.gaierror("no name server")

    monkeypatch.setattr(script.socket, "getaddrinfo", nowhere)
    assert script.main() == 0
    assert "No internet here" in capsys.readouterr().out
