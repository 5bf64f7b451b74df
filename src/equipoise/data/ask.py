"""What all requests to a server have in common: patience, and a look at the head of an answer."""

from typing import Any

TRIES = 5
"""How often one URL is asked to go on after the connection was cut."""
TIMEOUT = (10, 60)
"""Seconds to wait for a connection, and for the next bytes."""


class WrongError(Exception):
    """This source cannot give the right file; another may."""


def is_page(response: Any) -> bool:
    """Say whether an answer is a web page by what its head says."""
    kind: str = response.headers.get("Content-Type", "")
    return kind.startswith("text/html")


def start_of(response: Any, asked: int) -> int:
    """Look at the head of an answer; return the byte of the file at which its body starts.

    Args:
        response: Of requests; not a redirect, not an error.
        asked: From which byte on the file was asked for. A server may send all of it instead.

    Raises:
        WrongError: A web page, or another range.
    """
    if is_page(response):
        raise WrongError("the server sent an HTML page instead of the file")
    if response.status_code != 206:
        return 0
    if not response.headers.get("Content-Range", "").startswith(f"bytes {asked}-"):
        raise WrongError("the server sent another range than was asked for")
    return asked
