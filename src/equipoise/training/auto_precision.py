"""``train.precision: auto``: the fastest precision for this model here, measured once and kept.

Which one is fastest depends on the machine, and on what else it does: the choice is written beside
the checkpoints before the first step, and whoever continues or repeats the training reads it.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

from equipoise import files, vouch
from equipoise.console import log
from equipoise.errors import UserError
from equipoise.models.multimodal import MultimodalClassifier
from equipoise.params import Train
from equipoise.training.data import Data
from equipoise.training.device import autocast, in_format
from equipoise.training.precision import expect_right
from equipoise.training.run import make_optimizer, parameter_groups
from equipoise.training.world import World

CANDIDATES = ("fp32", "bf16", "bf16_channels_last")
"""Of equally fast ones the first is taken."""
ROUNDS = 4
"""Steps of each candidate, in turn; the first is not counted, of the others the fastest."""
NAME = "precision.json"

Measure = Callable[[dict[str, Callable[[], object]]], dict[str, float]]
"""From candidate to one step of it, to candidate to seconds."""


def measured(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the seconds of the fastest of a few steps of each candidate.

    They take turns, so that what else the machine does meets all of them.
    """
    seconds = dict.fromkeys(steps, math.inf)
    for turn in range(ROUNDS):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            if turn:
                seconds[name] = min(seconds[name], time.perf_counter() - begun)
    return seconds


def settled(
    model: MultimodalClassifier,
    data: Data,
    settings: Train,
    epoch: tuple[int, int],
    state: Path,
    world: World | None = None,
    measure: Measure = measured,
) -> Train:
    """Return the settings with another precision in place of ``auto``: the noted, or the fastest.

    A precision in bf16 that gives wrong numbers (:mod:`equipoise.training.precision`) is not
    measured. Neither weights and statistics nor random numbers change.

    Args:
        model: As training starts with it, on the device of ``data``.
        data: Its first batch is taken, without augmentation.
        settings: Section ``train``.
        epoch: Seed of the run and first epoch, which decide the first batch.
        state: Folder of the checkpoints; the choice is noted there.
        world: The processes of the job: the first measures, the others read.
        measure: What takes the time.

    Raises:
        UserError: The note cannot be read.
    """
    note, lock = state / NAME, state / f".{NAME}.lock"

    def noted() -> str:
        # Of two processes that begin the same training unasked, one measures.
        with files.alone(lock, "another process measures", wait=True, needed=False):
            if not note.exists():
                vouch.write(note, _compare(model, data, settings, epoch, measure))
        found = vouch.read(note, "delete it, and the precision is measured anew")
        chosen = found.get("precision")
        if chosen not in CANDIDATES:
            raise UserError(f"{note}: names no precision; delete {state} and train again")
        return str(chosen)

    chosen = (world or World()).in_turn(noted)
    log.info("train.precision: auto is %s (%s)", chosen, note)
    return settings.model_copy(update={"precision": chosen})


def _compare(
    model: MultimodalClassifier,
    data: Data,
    settings: Train,
    epoch: tuple[int, int],
    measure: Measure,
) -> dict[str, object]:
    steps: dict[str, Callable[[], object]] = {}
    refused: dict[str, str] = {}
    for name in CANDIDATES:
        asked = settings.model_copy(update={"precision": name})
        trial = in_format(copy.deepcopy(model), name)
        try:
            expect_right(trial, data, asked, epoch)
        except UserError as error:
            log.info("train.precision: auto leaves out %s: %s", name, error)
            refused[name] = str(error)
            continue
        steps[name] = _step(trial, data, asked, epoch)
    devices = [data.device] if data.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        seconds = measure(steps)
    chosen = min(steps, key=lambda name: seconds[name])
    milliseconds = {name: round(1000 * value, 3) for name, value in seconds.items()}
    return {"precision": chosen, "milliseconds_of_a_step": milliseconds, "refused": refused}


def _step(
    model: MultimodalClassifier, data: Data, settings: Train, epoch: tuple[int, int]
) -> Callable[[], object]:
    """Return one step of joint training on the first batch, which waits for the device."""
    rows = data.order(data.splits["train"], epoch)[: settings.batch_size].numpy()
    (batch,) = data.ordered(rows, len(rows))
    optimizer = make_optimizer(parameter_groups(model.train()), settings)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with autocast(data.device, settings.precision):
            output = model(batch.inputs)
        logits = (output.logits, *output.modality_logits.values())
        loss = torch.stack([functional.cross_entropy(z, batch.labels) for z in logits]).sum()
        torch.autograd.backward(loss)
        optimizer.step()
        return float(loss.detach())

    return step
