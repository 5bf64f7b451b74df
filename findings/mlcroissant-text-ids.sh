#!/usr/bin/env bash
# A Croissant field of type Text loses the zeros in front of the names of clips.
#
# GUESS:     a field whose dataType is sc:Text comes as it stands in the CSV file: that is what a type is for.
# VERSION:   mlcroissant 1.1.1, pandas 2.3.3.
# SOURCE:    the program below, run with these versions on Linux.
# REALITY:   the file is read with types guessed column by column, and made text afterwards. The clips 007 and
#            008 come as 7 and 8, no issue is reported, and a join with the names of the media finds nothing.
#            One name with a letter in the column keeps all of them, so that it shows in some data sets only.
# Output (column of numbers; the same with one letter more in the file):
#   ['7', '8']
#   ['007', '008', 'x']
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset PYTHONPATH
uv venv --quiet --python '>=3.11,<3.13' venv
uv pip install --quiet --python venv 'mlcroissant==1.1.1' 'pandas==2.3.3'
venv/bin/python - 2>log.txt <<'PY' || { cat log.txt >&2; echo 'not as stated any more' >&2; exit 1; }
import hashlib
import json
from pathlib import Path

import mlcroissant as mlc

CROISSANT = ("citeAs", "column", "extract", "field", "fileObject", "recordSet", "source")
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{word: f"cr:{word}" for word in CROISSANT},
}


def read(text: str) -> list[str]:
    table = Path("clips.csv")
    table.write_text(text)
    place = {
        "@type": "cr:FileObject",
        "@id": "table",
        "name": "table",
        "contentUrl": "clips.csv",
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(table.read_bytes()).hexdigest(),
    }
    clip = {
        "@type": "cr:Field",
        "@id": "clips/clip",
        "name": "clip",
        "dataType": "sc:Text",
        "source": {"fileObject": {"@id": "table"}, "extract": {"column": "clip"}},
    }
    records = {"@type": "cr:RecordSet", "@id": "clips", "name": "clips", "field": [clip]}
    card = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "clips",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "distribution": [place],
        "recordSet": [records],
    }
    Path("card.json").write_text(json.dumps(card))
    data = mlc.Dataset("card.json")
    assert not data.metadata.ctx.issues.errors
    return [record["clips/clip"].decode() for record in data.records("clips")]


numbers = read("clip\n007\n008\n")
mixed = read("clip\n007\n008\nx\n")
print(numbers, mixed, sep="\n")
assert numbers == ["7", "8"]
assert mixed == ["007", "008", "x"]
PY
