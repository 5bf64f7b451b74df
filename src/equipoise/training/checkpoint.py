"""Training checkpoints that a resumed run equals the uninterrupted one from.

One checkpoint is a folder, complete when it has its name::

    <state>/<epoch>-<step>/model.safetensors   weights at this position
                           best.safetensors    weights selected so far (when there are any)
                           state.pt            optimiser, generators, method, sums, history
                           checkpoint.json     sha256 of each

Two are kept: a damaged one is reported and the one before is used.
"""

import copy
import json
import random
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equipoise import files
from equipoise.console import log

KEPT = 2
#: Marks the checkpoints of a training that wrote its final files: see :meth:`Checkpoints.finish`.
FINISHED = "finished"
Weights = dict[str, Tensor]


@dataclass
class Checkpoint:
    """Everything of a run at one position."""

    epoch: int
    """The epoch it is in, from 1."""
    step: int
    """Steps of that epoch already done."""
    weights: Weights
    best: Weights | None
    state: dict[str, Any]
    """Plain values and tensors."""

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and step."""
        return self.epoch, self.step


def contiguous(weights: Weights) -> Weights:
    """Return detached copies on the CPU, as safetensors wants them."""
    return {name: w.detach().to("cpu", copy=True).contiguous() for name, w in weights.items()}


def generator_state(device: torch.device) -> dict[str, Any]:
    """Return the state of every generator that training on ``device`` draws from."""
    cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return {"python": random.getstate(), "torch": torch.get_rng_state(), "cuda": cuda}


def set_generator_state(state: dict[str, Any], device: torch.device) -> None:
    """Take what :func:`generator_state` returned, maybe for another device."""
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    if state["cuda"] and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"][0], device)


class Checkpoints:
    """The checkpoints of one job.

    Args:
        folder: Where they live; outside of every declared output.
        seconds: Longest time between two of them.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = Path(folder)
        self._seconds = seconds
        self._last = time.monotonic()
        self._on_disk: tuple[int, int] | None = None
        self._unsaved: Checkpoint | None = None

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self._last >= self._seconds

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then forget all but the two newest."""
        from safetensors.torch import save_file

        final = self.folder / f"{checkpoint.epoch:05d}-{checkpoint.step:08d}"
        with files.atomic_directory(final) as folder:
            save_file(contiguous(checkpoint.weights), folder / "model.safetensors")
            if checkpoint.best is not None:
                save_file(contiguous(checkpoint.best), folder / "best.safetensors")
            state = {**checkpoint.state, "epoch": checkpoint.epoch, "step": checkpoint.step}
            torch.save(state, folder / "state.pt")
            sums = {path.name: files.sha256(path) for path in sorted(folder.iterdir())}
            files.write_json(folder / "checkpoint.json", {"sha256": sums})
        for old in self._found()[KEPT:]:
            shutil.rmtree(old)
        self._last = time.monotonic()
        self._on_disk, self._unsaved = checkpoint.position, None
        return final

    def remember(self, checkpoint: Checkpoint) -> None:
        """Keep a copy in memory for :meth:`flush`, unless it is on disk; training may go on."""
        if checkpoint.position != self._on_disk:
            weights, state = contiguous(checkpoint.weights), copy.deepcopy(checkpoint.state)
            self._unsaved = replace(checkpoint, weights=weights, state=state)

    def flush(self) -> Path | None:
        """Write what was remembered since the last save; return the newest checkpoint's folder."""
        if self._unsaved is not None:
            self.save(self._unsaved)
        return self.newest()

    def load(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, or None; damaged ones are reported."""
        for folder in self._found():
            try:
                found = _read(folder)
                self._on_disk = found.position
                return found
            except Exception as error:  # whatever a damaged file makes a reader raise
                log.warning("checkpoint %s is damaged (%s); trying the one before", folder, error)
                shutil.rmtree(folder)
        return None

    def newest(self) -> Path | None:
        """Return the folder of the newest checkpoint."""
        return next(iter(self._found()), None)

    def finish(self) -> None:
        """Keep the last checkpoint alone: the final files are there, but nobody has read them.

        Snakemake deletes them if what shares a cluster job with the training fails, and asks for
        them again. :func:`remove_finished` ends this.
        """
        for old in self._found()[1:]:
            shutil.rmtree(old)
        (self.folder / FINISHED).touch()

    def remove(self) -> None:
        """Forget everything: the job has its final files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _found(self) -> list[Path]:
        """Return complete checkpoints, newest first."""
        return sorted(self.folder.glob("[0-9]*-[0-9]*"), reverse=True)


def remove_finished(folder: Path) -> None:
    """Forget what trainings below ``folder`` kept when they had ended: their models were read."""
    for mark in folder.glob(f"*/{FINISHED}"):
        shutil.rmtree(mark.parent)


def _read(folder: Path) -> Checkpoint:
    from safetensors.torch import load_file

    sums = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))["sha256"]
    for name, expected in sums.items():
        if files.sha256(folder / name) != expected:
            raise ValueError(f"sha256 of {name} differs")
    best = folder / "best.safetensors"
    state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
    return Checkpoint(
        epoch=state.pop("epoch"),
        step=state.pop("step"),
        weights=load_file(folder / "model.safetensors"),
        best=load_file(best) if best.name in sums else None,
        state=state,
    )
