"""The examples of docs/own-data.md, run from raw files to a prediction."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from equipoise import files, layout, params
from equipoise.stages import download, embed, extract, split, train
from equipoise.stages.job import Job

DOCS = Path(__file__).parents[1] / "docs/own-data.md"
RNG = np.random.default_rng(0)


def example(title):
    """The manifest and the entry below a heading."""
    text = DOCS.read_text(encoding="utf-8").partition(f"### {title}\n")[2].partition("\n### ")[0]
    blocks = dict(re.findall(r"```(csv|yaml)\n(.*?)```", text, re.DOTALL))
    rows = list(csv.DictReader(io.StringIO(blocks["csv"])))
    ((name, entry),) = YAML(typ="safe", pure=True).load(blocks["yaml"])["datasets"].items()
    return rows, name, entry


def picture(path, shade):
    from PIL import Image

    Image.fromarray(np.full((40, 48, 3), shade, np.uint8)).save(path)


def film(path, shade):
    from equipoise.media.clips import write_clip

    frames = (shade + RNG.integers(0, 20, (8, 48, 64))).astype(np.uint8)  # no two are the same
    write_clip(path.with_suffix(".mp4"), frames, 8, np.zeros(8000, np.int16), 8000)
    path.with_suffix(".mp4").rename(path)


def array(path, level):
    shape = (6, 30) if "ankle" in path.parts else (8, 48, 64)
    values = level * 10 + RNG.normal(size=shape)
    np.save(path, values if "ankle" in path.parts else (1000 + values).astype(np.uint16))


def table(path, level):
    lines = [f"{level + RNG.normal():.3f},{level},{t}" for t in range(25)]
    path.write_text("x,y,z\n" + "\n".join(lines) + "\n")


MAKE = {".png": picture, ".avi": film, ".npy": array, ".csv": table}


def write_folder(folder, rows, per_class=9):
    """Write the manifest with more rows of the same form, and files of the kinds it names."""
    more = []
    for row in rows:
        for number in range(per_class):
            own = {**row, "sample_id": f"{row['sample_id']}_{number}"}
            for column, cell in row.items():
                path = Path(cell)
                if path.suffix in MAKE:
                    target = path.with_stem(f"{path.stem}_{number}")
                    (folder / target).parent.mkdir(parents=True, exist_ok=True)
                    MAKE[path.suffix](folder / target, 40 + 60 * rows.index(row) + number)
                    own[column] = target.as_posix()
            if own["group"]:
                own["group"] += str(number % 3)
            more.append(own)
    files.write_csv(folder / "manifest.csv", list(more[0]), more)


@pytest.mark.parametrize(
    ("title", "layouts"),
    [
        ("Pictures with texts", {"photo": (32, 32, 3), "caption": (2, 48)}),
        ("Sensors", {"wrist": (50, 3), "ankle": (50, 6)}),
        ("Depth beside colour", {"rgb": (4, 32, 32, 3), "depth": (4, 32, 32, 1)}),
    ],
)
def test_an_example_runs_from_files_to_a_prediction(title, layouts, tmp_path, monkeypatch):
    from equipoise.prediction import predict
    from equipoise.stages import search
    from equipoise.store.features import FeatureStore

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    rows, name, entry = example(title)
    write_folder(tmp_path / entry["download"]["folder"], rows)
    tree = {
        "datasets": {name: entry},
        "methods": {"from_scratch": {"joint": {}}},
        "seeds": [0],
        "train": {"epochs": 1, "batch_size": 4},
        "split": {"val_fraction": 0.3, "test_fraction": 0.3},
    }
    grid = params.parse(params.Params, tree, title)
    for stage in (download, extract, split, embed, search, train):
        word = stage.__name__.rpartition(".")[2]
        job = Job(word, name, "joint", 0, 1)
        stage.run(job, params.job_settings(grid, word, name, "joint"))
    with FeatureStore(layout.features(name)["features"]) as store:
        assert {m: store.shape(m) for m in store.modalities} == layouts
    model = layout.train(name, "joint", "0")["model"].parent
    found = list(predict(model, [entry["download"]["folder"]], device="cpu", threads=1))
    assert len(found) == 18 and not any(clip.error for clip in found)
    assert set(found[0].modalities) == set(layouts)
