"""``mmsd2``: MMSD2.0 (Qin et al., Findings of ACL 2023): ``mmsd`` with emoji words taken out.

Lists of github.com/JoeYing1019/MMSD2.0, commit 1627811f (``text_json_final``): the tweets of
``mmsd``, some labels of which changed from not sarcastic to sarcastic. Pictures come from a folder
of yours: the jpg files of ``mmsd``, or parquet files of the Hugging Face hub that hold them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equipoise import files
from equipoise.data import owners, published, room
from equipoise.data.datasets.mmsd import ARCHIVES, IMAGES, LABELS
from equipoise.data.owners import Packed
from equipoise.data.published import Item
from equipoise.errors import UserError

HUB = "or take the parquet files of a copy on huggingface.co (columns id and image)"


class Settings(Packed):
    """Options under ``datasets.mmsd2.download`` of params.yaml."""


def download(destination: Path, settings: Settings) -> None:
    """Write ``manifest.csv`` and ``media/*.jpg`` (links to your pictures, or out of parquet).

    Raises:
        UserError: A list cannot be fetched or read, or pictures are absent.
    """
    items = []
    for split in ("train", "val", "test"):
        text = "\n".join(published.lines(destination, f"mmsd2-{split}"))
        items += parse(text, split)
    folder = Path(settings.media).expanduser()
    tables = sorted(folder.rglob("*.parquet")) if settings.media else []
    if not tables:
        owners.bring(items, settings, ARCHIVES, f"{IMAGES}, {HUB}")
        published.take(destination, items, settings, f"{IMAGES}, {HUB}")
        return
    media = destination / "media"
    wanted = {item.media["image"] for item in items}
    missing = [name for name in wanted if not (media / name).exists()]
    held = sum(table.stat().st_size for table in tables)
    room.expect(destination, held * len(missing) // len(wanted), about=True)
    unpack(tables, media, wanted)
    kept = [item for item in items if (media / item.media["image"]).is_file()]
    published.report(destination, items, kept, settings, f"in the parquet files of {folder}")
    published.refuse(media, kept)
    published.write(destination, kept)


def parse(text: str, split: str) -> list[Item]:
    """Return the samples of one list: a JSON array of ``{image_id, text, label}``.

    The ids have 18 digits; they stay text (as numbers of JavaScript or NaN columns they change).
    """
    rows = json.loads(text, parse_int=str)
    return [
        Item(
            row["image_id"],
            LABELS[int(row["label"])],
            split,
            {"image": f"{row['image_id']}.jpg"},
            "",
            {"text": row["text"]},
        )
        for row in rows
    ]


def unpack(tables: list[Path], out: Path, wanted: set[str]) -> None:
    """Write the pictures that are embedded in parquet files; those that are there are kept.

    Args:
        tables: Files with the columns ``id`` (or ``image_id``) and ``image`` (``{bytes, path}``).
        out: Receives ``<id>.jpg``.
        wanted: Names of files that a list names; others are not written.

    Raises:
        UserError: A file without these columns.
    """
    for table in tables:
        for name, content in _pictures(table):
            # A name is compared, never joined to a path unseen.
            if name in wanted and content and not (out / name).exists():
                with files.atomic_path(out / name) as temporary:
                    temporary.write_bytes(content)


def _pictures(path: Path) -> Iterator[tuple[str, bytes | None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        key = next(name for name in ("id", "image_id") if name in names)
        for batch in file.iter_batches(batch_size=64, columns=[key, "image"]):
            for row in batch.to_pylist():
                image: Any = row["image"]
                content = image.get("bytes") if isinstance(image, dict) else image
                if not isinstance(content, bytes | None):
                    raise ValueError(f"image of {row[key]!r} is not of bytes")
                yield f"{row[key]}.jpg", content
    except (pa.ArrowException, StopIteration, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"{path}: no parquet file with columns id and image ({said})") from None
