import csv
import gzip
import hashlib
import os
import subprocess
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from equipoise.data import idx, sources
from equipoise.data.datasets import avdigits
from equipoise.data.datasets.avdigits import FRAME_RATE, RATE, SIZE, Recording, Settings
from equipoise.data.fetch import fetch
from equipoise.errors import UserError
from equipoise.media.ffmpeg import binary

SPEAKERS = sorted(avdigits.SUBSETS)
LABELS = np.arange(20) % 10
AAC_FRAME = 1024
LONG = "3_theo_0"
"""The only recording longer than the shortest clip."""


def decode(path, *options):
    command = [binary(), "-v", "error", "-i", str(path), *options, "pipe:1"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def rows(folder):
    with (folder / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def tree(folder):
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and "sources" not in p.parts)
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def tone(samples, digit):
    return (8000 * np.sin(2 * np.pi * 200 * (1 + digit) * np.arange(samples) / RATE)).astype("<i2")


def write_wave(path, sound, rate=RATE):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(sound.astype("<i2").tobytes())


def git(folder, *arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    identity = ["-c", "user.name=n", "-c", "user.email=n@n"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return done.stdout.decode().strip()


def packed(values):
    head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return gzip.compress(head + values.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture(scope="session")
def small_mirror(tmp_path_factory):
    """Twenty images and one recording of each digit by george and by theo, as a mirror."""
    root = tmp_path_factory.mktemp("mirror")
    table, entries = sources.sources(), {}
    images = np.zeros((20, 28, 28), np.uint8)
    images[:, 8:20, 8:20] = 255
    for name, values in (("mnist-test-images", images), ("mnist-test-labels", LABELS)):
        address = table[name].urls[0].removeprefix("https://")
        (root / address).parent.mkdir(parents=True, exist_ok=True)
        (root / address).write_bytes(packed(values))
        content = (root / address).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        entries[name] = table[name].model_copy(update={"size": len(content), "sha256": sha256})
    upstream = tmp_path_factory.mktemp("upstream")
    (upstream / "recordings").mkdir()
    for digit in range(10):
        for number, speaker in enumerate(("george", "theo")):
            name = f"{digit}_{speaker}_0"
            samples = 9000 if name == LONG else 2000 + 100 * digit + number
            write_wave(upstream / "recordings" / f"{name}.wav", tone(samples, digit))
    git(upstream, "init", "-q")
    git(upstream, "add", ".")
    git(upstream, "commit", "-qm", "speech")
    git(upstream, "tag", "v1.0.10")
    speech = table["free-spoken-digit-dataset"]
    bundle = root / speech.urls[0].removeprefix("https://")
    bundle.parent.mkdir(parents=True)
    git(upstream, "bundle", "create", str(bundle), "v1.0.10")
    commit = git(upstream, "rev-parse", "HEAD")
    entries["free-spoken-digit-dataset"] = speech.model_copy(update={"commit": commit})
    return root, entries


@pytest.fixture
def mirror(small_mirror, monkeypatch):
    root, entries = small_mirror
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(root))
    monkeypatch.setattr(avdigits, "source", entries.__getitem__)
    return root


@pytest.fixture(scope="session")
def made(small_mirror, tmp_path_factory):
    folder = tmp_path_factory.mktemp("avdigits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EQUIPOISE_MIRROR", str(small_mirror[0]))
        patch.setattr(avdigits, "source", small_mirror[1].__getitem__)
        avdigits.download(folder, Settings())
    return folder


def test_manifest(made):
    table = rows(made)
    assert len(table) == 20
    assert all(row["label"] == row["sample_id"][0] for row in table)
    assert all(LABELS[int(row["mnist_row"])] == int(row["label"]) for row in table)
    assert len({row["mnist_row"] for row in table}) == 20
    assert {(row["group"], row["split"]) for row in table} == {("george", "train"), ("theo", "val")}
    for row in table:
        assert row["video"] == row["audio"] == f"media/{row['sample_id']}.mp4"
        assert (made / row["video"]).is_file()
    assert list((made / "media").glob(".*")) == []


def test_sound_is_the_whole_recording(made):
    for name in ("0_george_0", "7_theo_0", LONG):
        original = avdigits.read_sound(
            made / "sources/free-spoken-digit-dataset/recordings" / f"{name}.wav"
        )
        sound = np.frombuffer(decode(made / "media" / f"{name}.mp4", "-f", "s16le"), "<i2")
        # AAC comes in frames; not every version of ffmpeg cuts what the last one adds.
        assert -1 <= len(sound) - len(original) < AAC_FRAME
        inner = slice(200, len(original) - 200)
        assert np.corrcoef(sound[inner], original[inner])[0, 1] > 0.95


def test_picture_lasts_a_second_or_as_long_as_the_sound(made):
    for name, seconds in (("0_george_0", 1.0), (LONG, 9000 / RATE)):
        raw = decode(made / "media" / f"{name}.mp4", "-f", "rawvideo", "-pix_fmt", "gray")
        frames = np.frombuffer(raw, np.uint8).reshape(-1, SIZE, SIZE)
        assert len(frames) == np.ceil(seconds * FRAME_RATE)
        assert frames.max() > 120
        centre = [np.argwhere(frame > 90).mean(0) for frame in frames]
        assert np.abs(np.array(centre) - (SIZE - 1) / 2).max() < avdigits.DRIFT + 1
        assert np.abs(centre[-1] - centre[0]).max() > 0.5


def test_resumes_and_gives_the_same_bytes(made, mirror, tmp_path):
    settings = Settings()
    (tmp_path / "media").mkdir()
    kept = tmp_path / "media" / "0_george_0.mp4"
    kept.write_bytes(b"of an earlier run")
    avdigits.download(tmp_path, settings)
    assert kept.read_bytes() == b"of an earlier run"
    kept.unlink()
    avdigits.download(tmp_path, settings)
    assert tree(tmp_path) == tree(made)


def test_recordings_begin_balanced(tmp_path):
    for speaker in SPEAKERS:
        for digit in range(10):
            for number in (0, 2, 10):
                (tmp_path / f"{digit}_{speaker}_{number}.wav").touch()
    found = avdigits.recordings(tmp_path)
    assert len(found) == 180
    assert [r.repetition for r in found] == [0] * 60 + [2] * 60 + [10] * 60
    assert set(Counter((r.digit, r.speaker) for r in found[:60]).values()) == {1}


@pytest.mark.parametrize("name", ["a_theo_1.wav", "1_nobody_1.wav", "1_theo.wav"])
def test_unexpected_recording(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(UserError, match="known speaker"):
        avdigits.recordings(tmp_path)


def test_no_recordings(tmp_path):
    with pytest.raises(UserError, match="no recordings"):
        avdigits.recordings(tmp_path)


def test_pairs_depend_on_the_seed_alone():
    found = [Recording(r, d, "theo") for r in range(2) for d in range(10)]
    first = avdigits.pair(found, LABELS, 0)
    assert all(LABELS[image] == r.digit for r, image in first.items())
    assert len(set(first.values())) == 20
    assert avdigits.pair(found[:10], LABELS, 0) == {r: first[r] for r in found[:10]}
    assert avdigits.pair(found, LABELS, 1) != first


def test_too_few_images():
    with pytest.raises(UserError, match="only 2 images of digit 4"):
        avdigits.pair([Recording(r, 4, "theo") for r in range(3)], LABELS, 0)


@pytest.mark.parametrize("rate", [RATE, 16000])
def test_sound_files(tmp_path, rate):
    path = tmp_path / "a.wav"
    write_wave(path, np.array([1, -2, 300]), rate)
    if rate == RATE:
        assert avdigits.read_sound(path).tolist() == [1, -2, 300]
    else:
        with pytest.raises(UserError, match="expected 8000 Hz"):
            avdigits.read_sound(path)
    path.write_bytes(b"RIFF")
    with pytest.raises(UserError, match="not a wave file"):
        avdigits.read_sound(path)


def test_film_moves_in_a_straight_line(monkeypatch):
    monkeypatch.setattr(avdigits, "NOISE", 0.0)
    dot = np.zeros((28, 28), np.uint8)
    dot[12:16, 12:16] = 255
    frames = avdigits.film(dot, 9, np.random.default_rng(3)).astype(float)
    assert frames.shape == (9, SIZE, SIZE)
    grid = np.indices((SIZE, SIZE)).reshape(2, -1)
    centres = np.stack([(grid * f.ravel()).sum(1) / f.sum() for f in frames])
    steps = np.diff(centres, axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(0), steps.shape), atol=0.03)
    assert 127 <= frames.max() <= 255


@pytest.mark.slow
def test_the_real_sources(tmp_path):
    root = os.environ.get("EQUIPOISE_MIRROR")
    if not root or not Path(root, "github.com/Jakobovski").is_dir():
        pytest.skip("EQUIPOISE_MIRROR names no folder that holds the sources of avdigits")
    avdigits.download(tmp_path, Settings(clips=120))
    table = rows(tmp_path)
    assert Counter(row["split"] for row in table) == {"train": 80, "val": 20, "test": 20}
    assert Counter(row["label"] for row in table) == dict.fromkeys("0123456789", 12)
    labels = tmp_path / "labels.gz"
    fetch(sources.source("mnist-test-labels"), labels)
    known = idx.read(labels, 1)
    assert np.bincount(known).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert all(known[int(row["mnist_row"])] == int(row["label"]) for row in table)
    found = avdigits.recordings(tmp_path / "sources/free-spoken-digit-dataset/recordings")
    assert Counter((r.speaker, r.digit) for r in found) == {
        (speaker, digit): 50 for speaker in SPEAKERS for digit in range(10)
    }
