"""Every verb on a full disk: one line that names the file, and nothing half written."""

import contextlib
import resource
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from equipoise import cli, layout

RATE = 8000
PARAMS = {
    "datasets": {
        "mine": {
            "download": {"folder": "own"},
            "modalities": {
                "picture": {"kind": "image", "column": "image", "size": 16},
                "sound": {"kind": "sound", "column": "audio", "rate": RATE, "seconds": 0.1}
                | {"n_fft": 128, "hop": 64},
            },
        }
    },
    "methods": {"from_scratch": {"joint": {}}, "from_warmup": {"joint-concat-warm": {}}},
    "seeds": [0],
    "warmup": {"epochs": 1},
    "train": {"epochs": 2, "batch_size": 8},
    "model": {"features": 8},
}
DATA, SEED = ["--dataset", "mine"], ["--seed", "0"]
#: Every verb that writes files, in the order of the graph.
WRITING = [
    ["download", *DATA],
    ["extract", *DATA],
    ["split", *DATA],
    ["embed", *DATA],
    ["warmup", *DATA, *SEED],
    ["gap", *DATA, *SEED],
    ["search", *DATA, "--method", "joint"],
    ["search", *DATA, "--method", "joint-concat-warm"],
    ["train", *DATA, "--method", "joint", *SEED],
    ["train", *DATA, "--method", "joint-concat-warm", *SEED],
    ["evaluate", *DATA, "--method", "joint", *SEED],
    ["evaluate", *DATA, "--method", "joint-concat-warm", *SEED],
    ["compare"],
    ["predict", "--model", "models/train/mine/joint/seed0", "own", "--output", "answers.csv"],
    ["params", "apply", "more.yaml"],
]
SAYING = [
    ["check", "own"],
    ["show"],
    ["verify"],
    ["params", "check"],
    ["params", "schema"],
    ["methods"],
    ["encoders"],
    ["modalities"],
    ["predict", "--model", "models/train/mine/joint/seed0", "own/manifest.csv"],
]


def wav(path, samples):
    data = (32767 * samples).astype("<i2").tobytes()
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


@contextlib.contextmanager
def full_disk(limit):
    """No file may grow beyond ``limit`` bytes; Python meets that as it meets a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    (folder / "own").mkdir()
    rows = ["sample_id,label,split,group,image,audio"]
    random = np.random.default_rng(0)
    for number in range(24):
        pixels = random.integers(0, 255, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"own/{number}.png")
        wav(folder / f"own/{number}.wav", random.uniform(-0.5, 0.5, 800))
        side = ["train", "train", "val", "test"][number // 2 % 4]
        rows.append(f"s{number},c{number % 2},{side},,{number}.png,{number}.wav")
    (folder / "own/manifest.csv").write_text("\n".join(rows) + "\n")
    for name, tree in (("params.yaml", PARAMS), ("more.yaml", {"train": {"epochs": 3}})):
        with (folder / name).open("w") as file:
            YAML().dump(tree, file)
    return folder


def contents(folder):
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and "state" not in path.relative_to(folder).parts
    }


def one_line(verb, err):
    """The one line of an error; log lines begin with a time."""
    lines = [line for line in err.splitlines() if line[2:3] != ":"]
    assert len(lines) == 1, err
    assert lines[0].startswith(f"equipoise {verb}: error: "), err
    assert "Traceback" not in err
    return lines[0].removeprefix(f"equipoise {verb}: error: ")


def test_every_verb_that_writes(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    for command in WRITING:
        before = contents(project)
        with full_disk(64):
            status = cli.main(command)
        line = one_line(command[0], capsys.readouterr().err)
        assert status == 2, command
        path, _, rest = line.partition(": ")
        assert (path in line and "/" in path) or path in ("answers.csv", "params.yaml"), line
        assert "File too large" in rest or "disk is full" in rest or "cannot be written" in rest
        assert contents(project) == before, command
        assert cli.main(command) == 0, capsys.readouterr().err
        capsys.readouterr()
    monkeypatch.setattr(sys, "stdout", Path("/dev/full").open("w"))  # noqa: SIM115
    for command in SAYING:
        assert cli.main(command) == 2, command
        assert one_line(command[0], capsys.readouterr().err) == (
            "standard output: No space left on device; make room on that disk, then run the "
            "same command again"
        ), command
    assert layout.compare()["table"].exists()


def test_no_verb_was_forgotten():
    verbs = cli._parser()._subparsers._group_actions[0].choices
    walked = {command[0] for command in [*WRITING, *SAYING]}
    assert set(verbs) - walked == {"track"}  # MLflow's own files
