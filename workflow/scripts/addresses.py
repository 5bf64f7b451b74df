"""Does every address in ``sources.toml`` and ``weights.toml`` answer, and with the right size?

``python workflow/scripts/addresses.py`` asks each server for the head of each file and each
repository for its tag. Without internet it says so and ends with status 0: nothing was found out.
"""

import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
LISTS = (
    ROOT / "src/equipoise/data/sources.toml",
    ROOT / "src/equipoise/models/weights.toml",
)
SECONDS = 20


@dataclass(frozen=True)
class Address:
    """One place that equipoise may download from."""

    name: str
    url: str
    size: int = 0
    """Bytes; 0: not known."""
    tag: str = ""
    """Of a repository: the tag."""
    commit: str = ""
    """And what it must point to."""


def addresses(path: Path) -> Iterator[Address]:
    """Yield every address of a list."""
    for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
        parts = {name: entry} | {f"{name}/{k}": v for k, v in entry.get("files", {}).items()}
        for place, part in parts.items():
            for url in part.get("urls", ()):
                known = {key: part[key] for key in ("size", "tag", "commit") if key in part}
                yield Address(place, url, **known)


def offline(found: list[Address]) -> bool:
    """Whether not one of the servers can be looked up."""
    for host in {urlsplit(one.url).hostname for one in found}:
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            continue
        return False
    return True


def problem(one: Address) -> str:
    """Say what is wrong with an address; empty if nothing is."""
    try:
        return _of_repository(one) if one.tag else _of_file(one)
    except (OSError, subprocess.SubprocessError) as error:
        return " ".join(str(error).split())


def _of_file(one: Address) -> str:
    request = urllib.request.Request(one.url, method="HEAD", headers={"User-Agent": "equipoise"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
    return f"{size} bytes, not {one.size}" if one.size and size and size != one.size else ""


def _of_repository(one: Address) -> str:
    command = ["git", "ls-remote", one.url, f"refs/tags/{one.tag}*"]
    text = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=SECONDS
    ).stdout
    # Of an annotated tag, the line that ends in ^{} names the commit.
    found = {name.partition("^")[0]: sha for sha, _, name in map(_columns, text.splitlines())}
    commit = found.get(f"refs/tags/{one.tag}", "")
    return "" if commit == one.commit else f"tag {one.tag} is {commit or 'not there'}"


def _columns(line: str) -> tuple[str, str, str]:
    return line.partition("\t")


def main() -> int:
    """Return 1 if an address does not hold."""
    found = [one for path in LISTS for one in addresses(path)]
    if offline(found):
        print(f"No internet here: {len(found)} addresses were not checked.")
        return 0
    wrong = 0
    for one in found:
        if said := problem(one):
            wrong += 1
            print(f"{one.name}: {one.url}: {said}")
    print(f"{len(found)} addresses, {wrong} of them wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
