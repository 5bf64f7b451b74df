"""``twitter17``: sentiment towards a name in a tweet with a picture (3,562 / 1,176 / 1,234 rows).

Lists of TomBERT (Yu and Jiang, IJCAI 2019; github.com/jefferyYu/TomBERT, commit 31bc79fb), which
say train, dev and test; pictures from a folder of yours. See :mod:`equipoise.data.tombert`.
"""

from __future__ import annotations

from pathlib import Path

from equipoise.data import tombert
from equipoise.data.owners import Packed


class Settings(Packed):
    """Options under ``datasets.twitter17.download`` of params.yaml."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/*.jpg`` (links to your pictures).

    Raises:
        UserError: A list cannot be fetched, or pictures are absent.
    """
    tombert.download(destination, settings, "twitter17", "twitter2017_images")
