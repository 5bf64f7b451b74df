"""The processes that share one training job.

They are those of torchrun, or of :mod:`equipoise.training.launch`, which uses it. They share the
work of the encoders, see :mod:`equipoise.training.shares`; all else each of them does alike.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from equipoise.console import log
from equipoise.errors import ProcessError, UserError
from equipoise.training.device import pick_device

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes of one job, and which one this is."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def span(self, count: int) -> slice:
        """Return the share of this process in ``count`` samples; shares differ by one at most."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def summed(self, part: Tensor) -> Tensor:
        """Return the sum over processes, the same bits in each; no gradient."""
        total = part.clone(memory_format=torch.contiguous_format)
        if self.size > 1:
            _collective(dist.all_reduce, total)
        return total

    def gathered(self, share: Tensor, count: int) -> Tensor:
        """Return (count, ...) from the shares (n, ...) of all processes, in order; no gradient."""
        # Collectives want one length: shares are filled up, and cut again.
        filled = share.new_zeros((-(-count // self.size), *share.shape[1:]))
        filled[: len(share)] = share
        pieces = [torch.empty_like(filled) for _ in range(self.size)]
        _collective(dist.all_gather, pieces, filled)
        spans = (World(rank, self.size).span(count) for rank in range(self.size))
        return torch.cat([p[: s.stop - s.start] for p, s in zip(pieces, spans, strict=True)])

    def agreed(self, stop: str, due: bool) -> tuple[str, bool]:
        """Return the signal that any process got (or ""), and ``due`` of the first."""
        if self.size == 1:
            return stop, due
        numbers = torch.tensor([signal.Signals[stop] if stop else 0, int(due and self.first)])
        _collective(dist.all_reduce, numbers, dist.ReduceOp.MAX)
        number, due = numbers.tolist()
        return signal.Signals(number).name if number else "", bool(due)

    def in_turn(self, action: Callable[[], T]) -> T:
        """Do ``action`` in the first process, then in all others; return its result."""
        if self.size == 1:
            return action()
        if not self.first:
            _collective(dist.barrier)
            return action()
        done = action()
        _collective(dist.barrier)
        return done

    def expect_same(self, what: str, values: Iterable[Tensor]) -> None:
        """Refuse to go on when the processes do not hold the same ``values``.

        Raises:
            ProcessError: They do not.
        """
        if self.size == 1:
            return
        total = torch.stack([value.detach().double().sum().cpu() for value in values])
        found = [torch.empty_like(total) for _ in range(self.size)]
        _collective(dist.all_gather, found, total)
        if not all(torch.equal(other, found[0]) for other in found):
            raise ProcessError(
                f"the processes do not hold the same {what} (unlike GPUs? an encoder that draws "
                "random numbers?); set runtime.processes to 1"
            )


def current() -> World:
    """Return the processes of :func:`joined`; one, outside of it."""
    if not dist.is_initialized():
        return World()
    return World(dist.get_rank(), dist.get_world_size())


@contextlib.contextmanager
def joined(device: str) -> Iterator[None]:
    """Work with the other processes of this job, if torchrun started any.

    All but the first are silent, and untracked, unless something is wrong with them.

    Args:
        device: ``runtime.device``.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    on_gpu = device != "cpu" and torch.cuda.is_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    if not current().first:
        log.setLevel(max(log.level, logging.WARNING))
        os.environ["MLFLOW_TRACKING_URI"] = ""
    yield
    # Not after an error: the others may wait for this process, and would be waited for.
    dist.destroy_process_group()


def local_size() -> int:
    """Return how many processes of the job run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def own_device(name: str) -> torch.device:
    """Return the device of this process for ``runtime.device``: one GPU for each.

    Raises:
        UserError: No such device here, or one GPU for several processes.
    """
    if current().size == 1:
        return pick_device(name)
    if ":" in name:
        raise UserError(f"runtime.device: {name!r} is one GPU for all processes; say cuda")
    device = pick_device(name)
    if device.type != "cuda":
        return device
    try:
        device = pick_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    except UserError as error:
        raise ProcessError(f"{error}; or lower runtime.processes") from None
    torch.cuda.set_device(device)
    return device


def _collective(function: Callable[..., Any], *arguments: Any) -> None:
    try:
        function(*arguments)
    except RuntimeError as error:
        line = " ".join(str(error).split())[:200]
        raise ProcessError(
            f"lost another process of this job ({line}); the same command continues"
        ) from None
