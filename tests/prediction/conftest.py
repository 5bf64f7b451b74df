"""A model trained on decoded clips, through the stages extract, split, train and evaluate."""

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_data

from equipoise import files, layout
from equipoise.params import EmbedJob, Evaluate, Extract, ExtractJob, SplitJob
from equipoise.stages import embed, evaluate, extract, split
from equipoise.stages.job import Job

SETTINGS = ExtractJob(
    extract=Extract(),
    modalities={
        "video": {"kind": "frames", "column": "video", "pick": {"even": 3}, "size": 16},
        "audio": {"kind": "sound", "column": "audio", "rate": 8000, "seconds": 0.2, "hop": 128},
    },
)
SOURCES = ["plain.mp4", "plain.flv", "numbered.mkv", "plain.mkv"]


def write_data(clips: Path) -> None:
    """Write a data set ``toy`` of two classes, as stage download leaves it."""
    raw = layout.raw("toy")
    raw["media"].mkdir(parents=True)
    rows, sums = [], []
    for number in range(12):
        source = clips / SOURCES[number // 3]
        name = f"media/{number:02d}{source.suffix}"
        path = raw["media"].parent / name
        path.write_bytes(source.read_bytes())
        subset = ["train", "val", "test"][number % 3]
        row = {"sample_id": f"s{number}", "label": "ab"[number // 3 % 2], "split": subset}
        rows.append(row | {"group": "", "video": name, "audio": name})
        sums.append(f"{files.sha256(path)}  {name}\n")
    files.write_csv(raw["manifest"], list(rows[0]), rows)
    files.write_text(raw["checksums"], "".join(sums))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> SimpleNamespace:
    """Return the folder of a trained model and what stage evaluate said of the test clips."""
    project = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setenv("MLFLOW_TRACKING_URI", "")
        write_data(clips)
        extract.run(Job("extract", "toy", threads=2), SETTINGS)
        split.run(Job("split", "toy"), SplitJob())
        embed.run(Job("embed", "toy"), EmbedJob(encoders={}))
        toy_data.run_train("joint")
        evaluate.run(toy_data.job("evaluate", "joint"), Evaluate())
        with layout.evaluate("toy", "joint", "0")["predictions"].open(newline="") as file:
            evaluated = list(csv.DictReader(file))
    return SimpleNamespace(
        model=project / layout.train("toy", "joint", "0")["model"].parent,
        raw=project / layout.raw("toy")["manifest"].parent,
        features=project / layout.features("toy")["features"],
        evaluated=evaluated,
    )


@pytest.fixture
def model(trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the model's two files; the current folder is empty."""
    folder = tmp_path / "a model"
    folder.mkdir()
    for name in ("model.json", "model.safetensors"):
        (folder / name).write_bytes((trained.model / name).read_bytes())
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return folder
