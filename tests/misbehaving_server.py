"""A small web server that misbehaves on request, and remembers what it was asked."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []  # path, Range header
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Range", "")))
                outer.answers.get(self.path, status(404))(self)

            def log_message(self, *_) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_) -> None:
                """A client that hangs up is what the tests are about."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._http.server_address[1]}"

    def on(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return self.root + path

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()


def _head(handler: BaseHTTPRequestHandler, code: int, length: int | None, **headers: str) -> None:
    handler.send_response(code)
    for key, value in headers.items():
        handler.send_header(key.replace("_", "-"), value)
    if length is None:
        handler.send_header("Connection", "close")
        handler.close_connection = True
    else:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


def status(code: int) -> Answer:
    return lambda handler: _head(handler, code, 0)


def content(body: bytes, kind: str = "application/octet-stream") -> Answer:
    """The whole body, whatever range was asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, len(body), Content_Type=kind)
        handler.wfile.write(body)

    return answer


def ranged(body: bytes, cut_at: float = 1.0) -> Answer:
    """Serve ranges; cut the connection after a part of what was asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        part = body[start:]
        extra = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        _head(handler, 206 if start else 200, len(part), **extra)
        handler.wfile.write(part[: int(len(part) * cut_at)])
        handler.close_connection = True

    return answer


def cut(body: bytes, at: int) -> Answer:
    """Knows no ranges, states the full length, and breaks off after ``at`` bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, len(body))
        handler.wfile.write(body[:at])
        handler.close_connection = True

    return answer


def unbounded(body: bytes) -> Answer:
    """No stated length: the end is where the connection ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, 200, None)
        handler.wfile.write(body)

    return answer


def redirect(to: str) -> Answer:
    return lambda handler: _head(handler, 302, 0, Location=to)


def in_turn(*answers: Answer) -> Answer:
    """Another answer each time; the last one stays."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)
