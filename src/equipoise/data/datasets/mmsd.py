"""``mmsd``: tweets with a picture, meant sarcastically or not (Cai, Cai, Wan, ACL 2019).

Lists of github.com/headacheboy/data-of-multimodal-sarcasm-detection, commit f42b1651: one Python
list per line. Training rows with a word that gives the answer away are dropped, as the authors
drop them: their pictures were never published. Of the two labels of validation and test rows, the
last is of people, the one before of the hashtag; training rows have the hashtag's alone.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Literal

from equipoise.data import owners, published
from equipoise.data.owners import Packed
from equipoise.data.published import Item
from equipoise.errors import UserError

LABELS = ("not_sarcastic", "sarcastic")
GIVEAWAYS = {"sarcasm", "sarcastic", "irony", "ironic", "humour", "humor", "joke", "jokes"}
GIVEAWAYS |= {"exgag", "reposting", "<url>"}
"""Words (whole ones, between blanks) that the authors' program drops a training row for."""
IMAGES = (
    "the pictures are four parts on Google Drive, linked from "
    "github.com/headacheboy/data-of-multimodal-sarcasm-detection: unpack all into one folder, or "
    "let download.unpack do that; if Drive refuses, put part N there by browser, as pictures-N"
)
ARCHIVES = {f"pictures-{part}": f"mmsd-pictures-{part}" for part in range(1, 5)}


class Settings(Packed):
    """Options under ``datasets.mmsd.download`` of params.yaml."""

    label: Literal["human", "hashtag"] = "human"
    """Which label validation and test have; the authors' program takes the last, people's."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/*.jpg`` (links to your pictures).

    Raises:
        UserError: A list cannot be fetched or read, or pictures are absent.
    """
    items = []
    for split in ("train", "val", "test"):
        name = f"mmsd-{split}"
        items += parse(published.lines(destination, name), split, settings.label, name)
    owners.bring(items, settings, ARCHIVES, IMAGES)
    published.take(destination, items, settings, IMAGES)


def parse(lines: list[str], split: str, label: str, where: str) -> list[Item]:
    """Return the samples of one list.

    Args:
        lines: Each the Python literal ``[id, text, label]`` or ``[id, text, hashtag, human]``.
        split: Its side.
        label: ``human``: the last; ``hashtag``: the first.
        where: Name of the list, for messages.

    Raises:
        UserError: A line is no such literal.
    """
    items = []
    for number, line in enumerate(lines, 1):
        try:
            name, text, *labels = ast.literal_eval(line)
            answer = LABELS[labels[-1 if label == "human" else 0]]
        except (ValueError, SyntaxError, TypeError, IndexError):
            raise UserError(f"{where}: line {number}: [id, text, label] expected") from None
        if split != "train" or GIVEAWAYS.isdisjoint(text.split()):
            items.append(
                Item(str(name), answer, split, {"image": f"{name}.jpg"}, "", {"text": text})
            )
    return items
