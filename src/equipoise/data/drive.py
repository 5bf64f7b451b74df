"""Files that lie on Google Drive: from the address that a person opens to one that gives bytes.

Written to what programs that fetch from there are known to meet (curl and gdown users, September
2024 and later); Drive itself was never asked. ``/uc?export=download&id=ID`` leads to another host,
which gives the bytes of a small file, with ranges. For a large one, which is not scanned for
viruses, it gives a page with a form; its fields, sent back, give the bytes. A file that too many
have fetched, that is not shared or is gone gives a page as well, mostly with the status 200.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from equipoise.data.ask import TIMEOUT, WrongError, is_page

HOSTS = {"drive.google.com", "drive.usercontent.google.com"}
"""Where files are asked for; a form that leads elsewhere is not followed."""
PAGE = 1 << 18
"""Bytes of a page that are read."""
_VIEW = re.compile(r"/file/d/([\w-]+)(?:/view)?")


def direct(url: str) -> str:
    """Return where the bytes of a file are; an address of another server as it is.

    Args:
        url: ``https://drive.google.com/file/d/ID/view``, or any other.

    Raises:
        WrongError: Drive gives a page instead: which one, and what to do.
    """
    parts = urlsplit(url)
    found = _VIEW.fullmatch(parts.path)
    if parts.hostname not in HOSTS or not found:
        return url
    address = f"{parts.scheme}://{parts.netloc}/uc?export=download&id={found[1]}"
    page = _page(address)
    if page and page.form:
        address = urljoin(page.url, page.form) + "?" + urlencode(page.fields)
        if urlsplit(address).hostname not in HOSTS:
            raise WrongError(f"Google Drive: its form leads to {address[:80]}, which is not asked")
        page = _page(address)
    if page:
        raise WrongError(f"Google Drive: {page.says()}")
    return address


def _page(address: str) -> _Page | None:
    """Ask; return the page that came, None where bytes would come."""
    import requests

    try:
        with requests.get(address, timeout=TIMEOUT, stream=True) as answer:
            if not is_page(answer):
                if not answer.ok:
                    raise WrongError(f"HTTP {answer.status_code}")
                return None
            page = _Page(answer)
            content = answer.raw.read(PAGE, decode_content=True)
    except requests.RequestException as error:
        raise WrongError(f"connection failed ({type(error).__name__})") from None
    page.feed(content.decode("utf-8", "replace"))
    return page


class _Page(HTMLParser):
    """What stands in a page: its title, its words, and a form to confirm with."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.url, self._status = answer.url, answer.status_code
        self.form = ""
        self.fields: dict[str, str] = {}
        self._title, self._words, self._in = "", "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the form and its fields."""
        self._in = tag
        given = {key: value or "" for key, value in attrs}
        if tag == "form" and given.get("id") == "download-form":
            self.form = given.get("action", "")
        if tag == "input" and self.form and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Leave the title."""
        self._in = ""

    def handle_data(self, data: str) -> None:
        """Note title and words."""
        if self._in == "title":
            self._title += data
        elif self._in not in ("script", "style"):
            self._words += data

    def says(self) -> str:
        """Say in words for a person why there are no bytes."""
        title, words = " ".join(self._title.split()), self._words.lower()
        if "quota" in title.lower() or "too many users" in words:
            return (
                "too many have fetched this file today (its quota); try again tomorrow, or copy "
                "it to a Drive of your own and fetch it by browser"
            )
        if urlsplit(self.url).hostname == "accounts.google.com" or "sign in" in title.lower():
            return "the file is not shared with everyone; ask its owner"
        if self._status == 404 or "does not exist" in words:
            return "the file is gone"
        if self.form:
            return "it asks for the same confirmation again; fetch the file by browser"
        return f"a page instead of the file, {title[:80]!r}; fetch the file by browser"
