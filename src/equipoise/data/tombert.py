"""The lists of TomBERT (Yu and Jiang, IJCAI 2019): tweets with a picture and a named target.

A row is a target, not a tweet: a tweet with three names stands there three times, and its targets
may have different labels. The files are tab-separated without quoting. Those of the test split
have a header of four names over five columns (a table reader then takes the label for the index),
those of training call two columns alike, so the header is dropped and columns are counted.
"""

from __future__ import annotations

from pathlib import Path

from equipoise.data import owners, published
from equipoise.data.owners import Packed
from equipoise.data.published import Item
from equipoise.errors import UserError

LABELS = {"0": "negative", "1": "neutral", "2": "positive"}
"""As in the ``.txt`` twins of the lists, where they are -1, 0 and 1."""
ARCHIVE = "IJCAI2019_data.zip"
"""Name of the authors' archive, by those who have fetched it."""
MARK = "$T$"
"""Stands in a tweet where the target was."""


def parse(lines: list[str], split: str, where: str) -> list[Item]:
    """Return the samples of one list, with its header as the first line.

    Columns of the manifest: ``template`` (the tweet with :data:`MARK`, as published), ``sentence``
    (with the target put in) and ``target``. The group is the picture: those of one tweet.

    Raises:
        UserError: A line has not five columns, or an unknown label.
    """
    items = []
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        if len(cells) != 5 or cells[1] not in LABELS:
            raise UserError(f"{where}: line {number}: five columns with label 0, 1 or 2 expected")
        index, label, image, template, target = cells
        sentence = template.replace(MARK, target)
        texts = {"template": template, "sentence": sentence, "target": target}
        media = {"image": image.strip()}
        name = f"{split}-{index}"
        items.append(Item(name, LABELS[label], split, media, media["image"], texts))
    return items


def download(destination: Path, settings: Packed, dataset: str, folder: str) -> None:
    """Fetch three lists, link the pictures of the user's folder, write the manifest.

    Args:
        destination: Receives manifest.csv and media/.
        settings: Where the pictures are.
        dataset: Beginning of the lists' names in the registry.
        folder: Name of the folder of pictures in the authors' archive.

    Raises:
        UserError: A list cannot be fetched, or pictures are absent.
    """
    items = []
    for split, name in (("train", "train"), ("val", "dev"), ("test", "test")):
        name = f"{dataset}-{name}"
        items += parse(published.lines(destination, name), split, name)
    how = (
        "the pictures are in the archive that github.com/jefferyYu/TomBERT links to (Google "
        f"Drive): unpack it, which makes the folder {folder}, or let download.unpack do that; if "
        f"Drive refuses, put the archive into download.media by browser, as {ARCHIVE}"
    )
    owners.bring(items, settings, {ARCHIVE: f"{dataset}-pictures"}, how, f"{folder}/")
    published.take(destination, items, settings, how)
