"""A small project of real pictures and sounds, and every command of its graph, in order."""

import struct

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

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
    ["audit", *DATA],
    ["card", "mine"],
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


def wav(path, samples):
    data = (32767 * samples).astype("<i2").tobytes()
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def make(folder):
    """Write params.yaml and 24 samples of noise with labels: enough for every stage."""
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
