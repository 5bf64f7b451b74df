"""A published data set in miniature: lists as a mirror, media as published, the stages in order."""

import csv
import hashlib
import os
from pathlib import Path

import pytest

from equipoise import layout, params
from equipoise.data import fetch, published, sources
from equipoise.media.ffmpeg import binary
from equipoise.stages import download, embed, extract, search, split, train
from equipoise.stages.job import Job

#: Tests read published lists from here, never from the network.
MIRROR = Path(os.environ.get("EQUIPOISE_MIRROR") or "/nowhere")


def real(name: str, split_lines: bool = True):
    """The published bytes of a list (its lines), or skip: they are not ours to commit."""
    entry = sources.source(name)
    found = fetch.mirrored(entry.urls) if MIRROR.is_dir() else []
    if not found:
        pytest.skip(f"EQUIPOISE_MIRROR names no folder that holds {name}")
    content = found[0].read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry.sha256
    return published.split_lines(content) if split_lines else content


class Lists:
    """Stands in for the registry: some lists are small, all come from a mirror folder."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.entries = root, dict(sources.sources())
        root.mkdir(exist_ok=True)
        monkeypatch.setenv("EQUIPOISE_MIRROR", str(root))
        monkeypatch.setattr(published, "source", self.entries.__getitem__)

    def put(self, name: str, content: bytes | str) -> None:
        content = content.encode() if isinstance(content, str) else content
        entry = self.entries[name]
        path = self.root / entry.urls[0].removeprefix("https://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        self.entries[name] = entry.model_copy(update={"size": len(content), "sha256": sha256})


def ffmpeg(*arguments: object) -> None:
    import subprocess

    subprocess.run([binary(), "-v", "error", "-y", *map(str, arguments)], check=True)


def picture(path: Path, number: int) -> None:
    """A jpg whose colours depend on the number."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    colour = (40 * number % 256, 90 * number % 256, 17 * number % 256)
    Image.new("RGB", (40, 30), colour).save(path, "JPEG")


def table(dataset: str) -> list[dict[str, str]]:
    """The manifest that stage download wrote."""
    with layout.raw(dataset)["manifest"].open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def one_epoch(dataset: str, entry: dict, **sections: dict) -> dict[str, str]:
    """Run download, extract, split and one epoch here; return sample to its side."""
    told = params.parse(
        params.Params,
        {
            "datasets": {dataset: entry},
            "methods": {"from_scratch": {"joint": {}}},
            "seeds": [0],
            "model": {"features": 8},
            "train": {"epochs": 1, "batch_size": 4},
            **sections,
        },
        "miniature",
    )
    runtime = params.Runtime(device="cpu")
    for module in (download, extract, split, embed, search, train):
        stage = module.__name__.rsplit(".", 1)[1]
        method = "joint" if stage in ("search", "train") else ""
        job = Job(stage, dataset, method, 0, 1, runtime)
        module.run(job, params.job_settings(told, stage, dataset, method))
    with layout.train(dataset, "joint", "0")["history"].open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1
    with layout.split(dataset)["split"].open(newline="") as file:
        return {row["sample_id"]: row["subset"] for row in csv.DictReader(file)}


def git(folder: Path, *arguments: object) -> str:
    import subprocess

    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_LFS_SKIP_SMUDGE": "1"}
    identity = ["-c", "user.name=n", "-c", "user.email=n@n"]
    command = ["git", "-C", str(folder), *identity, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return done.stdout.decode().strip()


def commit(folder: Path) -> str:
    """Commit everything in a folder as it is; return the commit."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "all")
    return git(folder, "rev-parse", "HEAD")


def clip(path: Path, number: int) -> None:
    """H.264 and AAC in MP4; colour and tone depend on the number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = f"color=0x{9 * number % 256:02x}40{(250 - 11 * number) % 256:02x}:s=48x36:r=25:d=0.4"
    sound = ("-f", "lavfi", "-i", f"sine=f={200 + 50 * number}:r=44100:d=0.4")
    coded = ("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
    ffmpeg("-f", "lavfi", "-i", colour, *sound, *coded, f"file:{path}")


def moving(path: Path, number: int, *sound: object) -> None:
    """MPEG-4 with B-frames in AVI: a texture goes right, the faster the larger the number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = "color=gray:s=96x72:r=25:d=0.5,noise=alls=90:all_seed=7,gblur=2,"
    picture += f"scroll=h={-0.003 * number:.4f}"
    coded = ("-c:v", "mpeg4", "-q:v", "2", "-bf", "1", "-vtag", "DIVX")
    ffmpeg("-f", "lavfi", "-i", picture, *sound, *coded, path)


def pack(path: Path) -> None:
    """Pack the B-frames of an AVI as DivX 5 did, which no encoder of today does.

    A B-frame stands in the packet of the frame before it, and an empty one in its own; words of
    the encoder in the first packet say so. The AVI has at most one B-frame in a row.
    """
    import av

    picture, words = b"\0\0\1\xb6", b"\0\0\1\xb2DivX503b1393p"
    plain = path.rename(path.with_suffix(".plain"))
    with av.open(str(plain)) as read, av.open(str(path), "w", format="avi") as written:
        streams = {one.index: written.add_stream_from_template(one) for one in read.streams}
        packets = [packet for packet in read.demux() if packet.size]
        shown = [packet for packet in packets if packet.stream.type == "video"]
        content = [bytes(packet) for packet in shown]
        content[0] = content[0].replace(picture, words + picture, 1)
        for number, one in enumerate(content):
            if one[one.index(picture) + 4] >> 6 == 2:
                content[number - 1] += one
                content[number] = picture + b"\x58\0\0"
        for packet in packets:
            if packet.stream.type == "video":
                number = shown.index(packet)
                new = av.Packet(content[number])
                new.time_base, new.is_keyframe = packet.time_base, packet.is_keyframe
                new.pts = new.dts = number
            else:
                new = packet
            new.stream = streams[packet.stream.index]
            written.mux(new)
    plain.unlink()
