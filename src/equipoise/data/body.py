"""The body of a file on a web server, read once from front to back: for what is never kept.

A connection that is cut is opened again from the byte where it broke, where the server knows
ranges and still has the same file (its ETag). Otherwise the reader has to begin again.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from equipoise.console import log
from equipoise.data.ask import TIMEOUT, TRIES, WrongError, start_of
from equipoise.data.fetch import mirrored

CHUNK = 1 << 16
"""Bytes that are taken at once."""
STEADY = 1 << 24
"""After so many bytes without a break, earlier breaks are forgotten: a stream lasts for hours."""
PAUSE = 2.0
"""Seconds before the first try to go on; twice as many before each further one."""
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, *(s for s in HTTPStatus if s >= 500))


class AgainError(Exception):
    """The rest of the file cannot be had alone; who reads it has to begin again."""


def opened(url: str) -> io.BufferedReader:
    """Open a file to be read once: from the mirror if it is there, else from its server.

    Raises:
        WrongError: The server does not give it.
        UserError: ``EQUIPOISE_MIRROR`` is not a folder.
    """
    kept = mirrored([url])
    if kept:
        try:
            return Path(kept[0]).open("rb")
        except OSError as error:
            raise WrongError(f"{kept[0]}: cannot be read ({error.strerror})") from None
    return io.BufferedReader(Body(url), CHUNK)


class Body(io.RawIOBase):
    """What a server sends under one address.

    Reading raises :class:`WrongError` where it cannot be had, :class:`AgainError` where it broke
    and the server does not go on in the middle.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = self._steady = self._breaks = 0
        self._size: int | None = None
        self._tag = ""
        self._rest = memoryview(b"")
        self._answer: Any = None
        self._chunks: Iterator[bytes] = iter(())
        if broken := self._ask():
            self._reopen(broken)

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Hang up."""
        if self._answer is not None:
            self._answer.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` from the front; return how many bytes came, 0 at the end."""
        import urllib3

        while not self._rest:
            broken = "connection closed"
            try:
                chunk = next(self._chunks, b"")
            except (urllib3.exceptions.HTTPError, OSError) as error:
                chunk, broken = b"", f"connection failed ({type(error).__name__})"
            if not chunk and self._at == self._size:
                return 0
            if not chunk and self._size is None and broken == "connection closed":
                return 0  # the size was not stated: the archive itself says whether this is all
            if chunk:
                self._take(chunk)
            else:
                self._reopen(broken)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _take(self, chunk: bytes) -> None:
        self._rest = memoryview(chunk)
        self._at += len(chunk)
        self._steady += len(chunk)
        if self._steady >= STEADY:
            self._breaks = 0

    def _reopen(self, broken: str) -> None:
        while broken:
            self._breaks, self._steady = self._breaks + 1, 0
            if self._breaks >= TRIES:
                raise WrongError(f"{broken} at byte {self._at}, {TRIES} times in a row")
            log.info("%s: %s at byte %d; going on", self._url, broken, self._at)
            time.sleep(PAUSE * 2 ** (self._breaks - 1))
            broken = self._ask()

    def _ask(self) -> str:
        """Ask for what is still to come; return why that may work later, empty if it works."""
        import requests

        headers = {"Accept-Encoding": "identity"}
        if self._at:
            headers["Range"] = f"bytes={self._at}-"
            headers |= {"If-Range": self._tag} if self._tag else {}
        self._hang_up()
        try:
            answer = requests.get(self._url, headers=headers, timeout=TIMEOUT, stream=True)
        except requests.RequestException as error:
            return f"connection failed ({type(error).__name__})"
        self._answer = answer
        if answer.status_code in _BUSY:
            return f"HTTP {answer.status_code}"
        if not answer.ok:
            raise WrongError(f"HTTP {answer.status_code}")
        whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
        other = self._size and whole.isdecimal() and int(whole) != self._size
        if start_of(answer, self._at) != self._at or other:
            raise AgainError(f"cut at byte {self._at}, and the server does not go on from there")
        if self._at == 0:
            self._note(answer.headers)
        self._chunks = answer.raw.stream(CHUNK, decode_content=False)
        return ""

    def _note(self, headers: Any) -> None:
        """Remember size and version of the file."""
        with suppress(KeyError, ValueError):
            self._size = int(headers["Content-Length"])
        tag = headers.get("ETag", "")
        self._tag = "" if tag.startswith("W/") else tag

    def _hang_up(self) -> None:
        if self._answer is not None:
            self._answer.close()
