"""Where and how exactly a job computes: device, threads, determinism, precision, seeds."""

import contextlib
import ctypes
import os
import random
from typing import TypeVar

import torch
from torch import nn

from equipoise.errors import UserError

M = TypeVar("M", bound=nn.Module)


def pick_device(name: str) -> torch.device:
    """Return the device called ``name``; ``auto`` is a GPU if there is one.

    Raises:
        UserError: No such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device {name!r} is unknown; say auto, cpu or cuda") from None
    if device.type == "cuda" and not (device.index or 0) < torch.cuda.device_count():
        raise UserError(
            f"device {name!r} is not there ({torch.cuda.device_count()} GPUs found); "
            "say auto or cpu"
        )
    return device


def make_deterministic(device: torch.device, threads: int) -> None:
    """Fix the number of threads and choose deterministic kernels.

    On a CPU the same job gives the same bytes. On a GPU an operation without a deterministic
    kernel warns once and goes on.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.set_num_threads(max(threads, 1))
    # What use_deterministic_algorithms does, without its import of a compiler: seconds of each job.
    torch.set_deterministic_debug_mode("error" if device.type == "cpu" else "warn")
    # Every kernel here writes what it allocates; filling it before would be a second write.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    if device.type == "cpu":
        keep_memory()


def keep_memory() -> None:
    """Have the C library keep what is freed for the next batch.

    By default glibc gives every block above 32 MiB back to the system, which fills the next one
    with zeros, page by page: a sixth of the CPU time of training the demo
    (``benchmarks/training.py``). Other C libraries have no such setting, and are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mmap_max, trim_threshold = -4, -1  # malloc.h
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)  # never: a step of two ResNet-18 frees several GiB


def seed_everything(seed: int) -> None:
    """Seed every generator that training draws from (methods draw from torch alone)."""
    random.seed(seed)
    torch.manual_seed(seed)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """Return the context of a forward pass: bfloat16 where it is safe, or nothing (``fp32``)."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision.startswith("bf16"))


def in_format(model: M, precision: str) -> M:
    """Lay a model out in memory as ``precision`` says: the channels of a map last, or as it is.

    Kernels of convolutions follow the layout of their weights, and give its layout to their result.
    """
    if precision.endswith("channels_last"):
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
