"""What users' folders hold now, for DVC: its stage ``origin`` runs this in every ``dvc repro``.

DVC compares files of the project only; each ``data/origin/<dataset>.sha256`` stands for a folder
elsewhere. Its bytes change when the folder's do, and then stage download runs. (Snakemake compares
the same digest among the params of the rule.)
"""

import os
from pathlib import Path

from code_files import ROOT

from equipoise import files, params
from equipoise.data import origin
from equipoise.errors import ending_in_one_line

FOLDER = Path("data/origin")


def write_origins(parameters: params.Params) -> None:
    """Write one file for each data set; empty for one that comes from no folder."""
    with files.atomic_directory(FOLDER) as folder:
        for name, entry in parameters.datasets.items():
            digest = origin.digest(name, entry.download)
            (folder / f"{name}.sha256").write_text(f"{digest}\n", encoding="utf-8")


if __name__ == "__main__":
    os.chdir(ROOT)
    with ending_in_one_line():
        write_origins(params.load())
