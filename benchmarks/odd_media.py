"""What is read of each file of a folder, and why the others are refused: a table.

python benchmarks/odd_media.py FOLDER
"""

import argparse
from pathlib import Path

from equipoise.media.decode import decode
from equipoise.media.errors import MediaError, MissingStreamError
from equipoise.media.wants import Found, Pick, Pictures, Sound, Want

WANTS: dict[str, Want] = {
    "picture": Pictures(Pick("even", 8), 64, 64),
    "sound": Sound(16000, 10.0),
}


def read(path: Path) -> dict[str, Found]:
    """Return what a file holds of picture and sound."""
    left = dict(WANTS)
    while left:
        try:
            return decode(path, left)
        except MissingStreamError as error:
            del left[error.modality]
    raise MediaError("neither picture nor sound")


def verdict(path: Path) -> tuple[bool, str]:
    try:
        found = read(path)
    except MediaError as error:
        return False, str(error)
    parts = []
    if "picture" in found:
        parts.append(f"picture {found['picture'].seconds:.2f} s, {found['picture'].frames} frames")
    if "sound" in found:
        parts.append(f"sound {found['sound'].seconds:.4g} s")
    return True, "; ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    counts = {True: 0, False: 0}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".tsv"):
        good, why = verdict(path)
        counts[good] += 1
        print(f"{'accepted' if good else 'REFUSED ':8}  {path.relative_to(folder)}: {why}")
    print(f"{counts[True]} accepted, {counts[False]} refused")


if __name__ == "__main__":
    main()
