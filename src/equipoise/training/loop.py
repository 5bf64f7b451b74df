"""The only training loop. What is special to a method stands in its plug-in."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.console import log, progress
from equipoise.errors import DivergedError, Stopped, UserError
from equipoise.methods.base import Batch, Method, Plan
from equipoise.training.checkpoint import (
    Checkpoint,
    Checkpoints,
    Weights,
    contiguous,
    generator_state,
    set_generator_state,
)
from equipoise.training.data import Indices
from equipoise.training.order import cut
from equipoise.training.run import Run, set_groups, set_rate, shown_groups
from equipoise.training.schedule import learning_rate
from equipoise.training.signals import Stop
from equipoise.training.totals import Totals

Row = dict[str, Any]
LOOK_EVERY = 50
"""Steps between two looks at the losses on a GPU, where each look waits for the device."""


@dataclass
class Best:
    """The weights selected so far."""

    epoch: int
    accuracy: float
    loss: float
    weights: Weights
    structure: dict[str, Any]

    def beaten_by(self, accuracy: float, loss: float) -> bool:
        """Accuracy decides, then loss; among equals the first stays."""
        return (accuracy, -loss) > (self.accuracy, -self.loss)


@dataclass
class Trainer:
    """One training run from its first epoch, or from its last checkpoint, to its last epoch."""

    run: Run
    method: Method[Any]
    checkpoints: Checkpoints
    stop: Stop = field(default_factory=Stop)
    history: list[Row] = field(default_factory=list)
    best: Best | None = None
    _plan: Plan | None = None
    _totals: Totals | None = None
    _unseen: list[tuple[int, Tensor]] = field(default_factory=list)

    def fit(self, on_epoch: Callable[[Row], None] = lambda row: None) -> Best:
        """Train; returns the selected weights. ``history`` holds one row for each epoch.

        Args:
            on_epoch: Called with each row of the history; in a resumed run first with those from
                before, as whoever listens is new.

        Raises:
            DivergedError: The loss became NaN or infinite.
            Stopped: A signal asked to stop; every step that was done is in a checkpoint.
        """
        world = self.run.world
        # Processes that wait for each other stop together, at a step they agree on.
        alone = world.size == 1
        try:
            with contextlib.nullcontext() if alone else self.stop.deferred():
                return self._fit(on_epoch)
        except Stopped as stopped:
            saved = world.in_turn(self.checkpoints.flush)
            raise Stopped(stopped.signal, str(saved or "")) from None

    def _fit(self, on_epoch: Callable[[Row], None]) -> Best:
        run = self.run
        self.method.attach(run.model, {})
        self.method.setup(run)
        epoch, step = self._resume()
        for row in self.history:
            on_epoch(row)
        with progress(run.last_epoch - run.first_epoch + 1, "training") as bar:
            bar.advance(epoch - run.first_epoch)
            while epoch <= run.last_epoch:
                self._train_epoch(epoch, step)
                row = self._finish_epoch(epoch)
                on_epoch(row)
                bar.advance(1, _note(row))
                epoch, step = epoch + 1, 0
                with self.stop.held():
                    self._save(epoch, step, self.checkpoints.due or epoch > run.last_epoch)
        if self.best is None:
            raise UserError("no epoch was trained; raise train.epochs")
        return self.best

    def _train_epoch(self, epoch: int, start: int) -> None:
        run, settings = self.run, self.run.settings
        if self._plan is None:
            self._plan = self.method.on_epoch_start(epoch)
        if self._totals is None:
            self._totals = Totals(run.data.modalities, run.device)
        rate = self._plan.learning_rate or learning_rate(settings, epoch)
        set_rate(run.optimizer, rate)
        run.model.train()
        seed, plan = (run.seed, epoch), self._plan
        batches = run.data.shuffled(self._rows(), settings.batch_size, seed, start, plan)
        with self.stop.held(), contextlib.closing(batches):
            stopped = self._steps(epoch, start, batches)
        if stopped:
            self.stop.act()

    def _steps(self, epoch: int, start: int, batches: Iterable[Batch]) -> bool:
        """Do the steps of an epoch after step ``start``; return whether asked to end early."""
        fault, before = _fault(), self._steps_before(epoch)
        step, stop = start, ""
        for step, batch in enumerate(batches, start=start + 1):
            self._step(epoch, step, batch)
            stop, due = self.run.world.agreed(self.stop.name, self.checkpoints.due)
            self._save(epoch, step, due)
            if fault == before + step:
                os.kill(os.getpid(), signal.SIGKILL)
            if stop:
                self.stop.name = stop
                break
        self._look(epoch)
        # For a signal that comes before the next step: what happens until then can change all.
        if self.run.world.first:
            self.checkpoints.remember(self._checkpoint(epoch, step))
        return bool(stop)

    def _step(self, epoch: int, step: int, batch: Batch) -> None:
        output, loss = self.method.train_step(batch)
        with torch.no_grad():
            predicted = self.method.predict(output)
        assert self._totals is not None  # noqa: S101  set by _train_epoch
        self._totals.add(predicted, batch.labels, loss)
        self._unseen.append((step, loss))
        if self.run.device.type == "cpu" or len(self._unseen) >= LOOK_EVERY:
            self._look(epoch)

    def _look(self, epoch: int) -> None:
        """Stop at the first loss that is not finite; this waits for the device."""
        if not self._unseen:
            return
        finite = torch.stack([loss for _, loss in self._unseen]).isfinite().tolist()
        steps = [step for step, _ in self._unseen]
        self._unseen.clear()
        if all(finite):
            return
        step = steps[finite.index(False)]
        ids = [self.run.data.sample_ids[row] for row in self._batch_rows(epoch, step)]
        last = self.checkpoints.newest()
        raise DivergedError(
            f"the loss is not finite in epoch {epoch}, step {step} (samples "
            f"{', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''}); last good checkpoint: "
            f"{last or 'none yet'}; lower train.learning_rate or look at these samples"
        )

    def _batch_rows(self, epoch: int, step: int) -> list[int]:
        rows, seed = self._rows(), (self.run.seed, epoch)
        size, plan = self.run.settings.batch_size, self._plan or Plan()
        return [
            int(row) for row in rows[self.run.data.places(len(rows), size, seed, plan)[step - 1]]
        ]

    def _rows(self) -> Indices:
        rows = self._plan.rows if self._plan else None
        return self.run.data.splits["train"] if rows is None else rows

    def _steps_before(self, epoch: int) -> int:
        """Count steps of whole epochs before this one, as if every epoch took the whole split."""
        train = torch.arange(len(self.run.data.splits["train"]))
        return (epoch - self.run.first_epoch) * len(cut(train, self.run.settings.batch_size))

    @torch.no_grad()
    def evaluate(self, subset: str) -> dict[str, float]:
        """Return loss and accuracies of a subset in evaluation mode."""
        totals = Totals(self.run.data.modalities, self.run.device)
        for output, labels in self.run.outputs(self.run.data.splits[subset]):
            predicted = self.method.predict(output)
            totals.add(predicted, labels, functional.cross_entropy(predicted.logits, labels))
        return totals.row(subset)

    def _finish_epoch(self, epoch: int) -> Row:
        assert self._totals is not None and self._plan is not None  # noqa: S101
        row: Row = {
            "epoch": epoch,
            "phase": self._plan.phase or self.run.phase,
            "learning_rate": self.run.optimizer.param_groups[0]["lr"],
            **self._totals.row("train"),
            **self.evaluate("val"),
        }
        extra = self.method.on_epoch_end(epoch, row)
        row |= {f"method_{name}": value for name, value in extra.items()}
        self.run.world.expect_same("weights", self.run.model.state_dict().values())
        self._select(epoch, row)
        self.history.append(row)
        self._plan = self._totals = None
        log.debug("epoch %d: %s", epoch, _note(row))
        return row

    def _select(self, epoch: int, row: Row) -> None:
        if self._plan is not None and not self._plan.selectable:
            return
        subset = "val"
        if self.run.settings.selection == "oracle_test":
            subset, row = "test", self.evaluate("test")
        accuracy, loss = row[f"{subset}_accuracy"], row[f"{subset}_loss"]
        last = self.run.settings.selection == "last"
        if self.best is None or last or self.best.beaten_by(accuracy, loss):
            weights = contiguous(self.run.model.state_dict())
            self.best = Best(epoch, accuracy, loss, weights, self.method.structure())

    def _save(self, epoch: int, step: int, due: bool) -> None:
        """Write a checkpoint when one is due."""
        if due:
            self._look(epoch)
            if self.run.world.first:
                self.checkpoints.save(self._checkpoint(epoch, step))

    def _checkpoint(self, epoch: int, step: int) -> Checkpoint:
        best, plan, totals = self.best, self._plan, self._totals
        state = {
            "optimizer": self.run.optimizer.state_dict(),
            "groups": shown_groups(self.run),
            "generators": generator_state(self.run.device),
            "method": self.method.state_dict(),
            "structure": self.method.structure(),
            "history": self.history,
            "totals": totals.state_dict() if totals else None,
            "best": best and [best.epoch, best.accuracy, best.loss, best.structure],
            "plan": plan and plan.state_dict(),
        }
        weights = self.run.model.state_dict()
        return Checkpoint(epoch, step, weights, best.weights if best else None, state)

    def _resume(self) -> tuple[int, int]:
        """Return epoch and finished steps to go on from."""
        found = self.run.world.in_turn(self.checkpoints.load)
        position = (found.epoch, found.step) if found else (0, 0)
        self.run.world.expect_same("checkpoint", map(torch.tensor, position))
        if found is None:
            return self.run.first_epoch, 0
        state, run = found.state, self.run
        self.method.attach(run.model, state["structure"])
        run.model.load_state_dict(found.weights)
        set_groups(run, state["groups"])
        run.optimizer.load_state_dict(state["optimizer"])
        self.method.load_state_dict(state["method"])
        self.history = state["history"]
        if state["best"] and found.best is not None:
            epoch, accuracy, loss, structure = state["best"]
            self.best = Best(epoch, accuracy, loss, found.best, structure)
        if state["plan"]:
            self._plan = Plan.of_state(state["plan"])
        if state["totals"]:
            self._totals = Totals(run.data.modalities, run.device)
            self._totals.load_state_dict(state["totals"])
        set_generator_state(state["generators"], run.device)
        if found.epoch > run.last_epoch:
            log.info("training had ended; only its final files are written again")
        else:
            log.info("resuming in epoch %d after step %d", found.epoch, found.step)
        return found.epoch, found.step


def _fault() -> int:
    """Return the step at which tests want this process killed (EQUIPOISE_FAULT_AT=step:17)."""
    kind, _, step = os.environ.get("EQUIPOISE_FAULT_AT", "").partition(":")
    return int(step) if kind == "step" and step.isdigit() else -1


def _note(row: Row) -> str:
    return f"epoch {row['epoch']}: train {row['train_accuracy']:.3f}, val {row['val_accuracy']:.3f}"
