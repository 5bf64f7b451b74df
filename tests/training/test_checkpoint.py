"""Checkpoints: what goes in comes out; damage is found; two are kept."""

import logging

import pytest
import torch

from equipoise.training.checkpoint import (
    Checkpoint,
    Checkpoints,
    generator_state,
    set_generator_state,
)


def checkpoint(epoch, step, value=1.0):
    weights = {"w": torch.full((3, 2), value).t()}
    state = {"history": [{"epoch": 1, "phase": "train", "loss": 0.5}], "note": (1, None, "x")}
    return Checkpoint(epoch, step, weights, {"w": torch.zeros(2)}, state)


def test_what_is_saved_comes_back(tmp_path):
    saved = checkpoint(2, 7)
    Checkpoints(tmp_path, 60).save(saved)
    found = Checkpoints(tmp_path, 60).load()
    assert (found.epoch, found.step, found.state) == (2, 7, saved.state)
    assert torch.equal(found.weights["w"], saved.weights["w"])
    assert torch.equal(found.best["w"], torch.zeros(2))


def test_the_two_newest_are_kept_and_the_newest_is_loaded(tmp_path):
    store = Checkpoints(tmp_path, 60)
    for epoch, step in ((1, 900), (2, 3), (10, 0)):
        store.save(checkpoint(epoch, step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00002-00000003", "00010-00000000"]
    assert store.load().epoch == 10
    assert store.newest().name == "00010-00000000"


@pytest.mark.parametrize("name", ["model.safetensors", "best.safetensors", "state.pt"])
def test_one_flipped_bit_is_found_and_the_one_before_is_used(tmp_path, name, caplog):
    store = Checkpoints(tmp_path, 60)
    store.save(checkpoint(1, 0, 1.0))
    newest = store.save(checkpoint(2, 0, 2.0))
    content = bytearray((newest / name).read_bytes())
    content[-3] ^= 1
    (newest / name).write_bytes(content)
    with caplog.at_level(logging.WARNING, "equipoise"):
        found = store.load()
    assert found.epoch == 1 and float(found.weights["w"][0, 0]) == 1.0
    assert "damaged" in caplog.text and name in caplog.text


@pytest.mark.parametrize("damage", ["missing", "truncated", "record"])
def test_other_damage_falls_back_too_and_none_left_starts_anew(tmp_path, damage):
    store = Checkpoints(tmp_path, 60)
    newest = store.save(checkpoint(1, 0))
    if damage == "missing":
        (newest / "state.pt").unlink()
    elif damage == "truncated":
        (newest / "model.safetensors").write_bytes(b"")
    else:
        (newest / "checkpoint.json").write_text("{")
    assert store.load() is None


def test_code_in_a_state_file_is_never_run(tmp_path):
    import json

    from equipoise import files

    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    store = Checkpoints(tmp_path / "state", 60)
    newest = store.save(checkpoint(1, 0))
    torch.save({"history": Payload()}, newest / "state.pt")
    record = json.loads((newest / "checkpoint.json").read_text())
    record["sha256"]["state.pt"] = files.sha256(newest / "state.pt")
    (newest / "checkpoint.json").write_text(json.dumps(record))
    assert store.load() is None
    assert not (tmp_path / "touched").exists()


def test_an_unfinished_checkpoint_is_not_seen(tmp_path):
    (tmp_path / ".00001-00000005.abc.tmp").mkdir()
    assert Checkpoints(tmp_path, 60).load() is None


def test_generators_come_back():
    import random

    torch.manual_seed(4)
    random.seed(4)
    cpu = torch.device("cpu")
    state = generator_state(cpu)
    first = (torch.rand(3).tolist(), random.random())
    set_generator_state(state, cpu)
    assert (torch.rand(3).tolist(), random.random()) == first


def test_a_process_takes_the_generator_of_the_first_to_its_own_gpu(monkeypatch):
    """All processes draw alike; each has another GPU than the one whose state was saved."""
    states = {"cuda:0": torch.tensor([7]), "cuda:1": torch.tensor([0])}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[str(device)])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: states.update({str(device): state})
    )
    saved = generator_state(torch.device("cuda:0"))
    set_generator_state(saved, torch.device("cuda:1"))
    assert states["cuda:1"].tolist() == [7]


def test_it_is_due_by_time(tmp_path):
    assert Checkpoints(tmp_path, 1e-9).due
    assert not Checkpoints(tmp_path, 60).due


def test_what_was_remembered_is_written_as_it_was(tmp_path):
    store, live = Checkpoints(tmp_path, 60), checkpoint(3, 2)
    assert store.flush() is None
    store.remember(live)
    live.weights["w"].zero_()
    live.state["history"][0]["loss"] = 9.0
    assert store.load() is None
    assert store.flush().name == "00003-00000002"
    found = store.load()
    assert float(found.weights["w"][0, 0]) == 1.0 and found.state == checkpoint(3, 2).state


def test_nothing_older_is_written_over_what_is_saved(tmp_path):
    store = Checkpoints(tmp_path, 60)
    store.remember(checkpoint(1, 3))
    newest = store.save(checkpoint(2, 0))
    store.remember(checkpoint(2, 0, 5.0))
    assert store.flush() == newest and [newest] == list(tmp_path.iterdir())
    assert float(store.load().weights["w"][0, 0]) == 1.0
