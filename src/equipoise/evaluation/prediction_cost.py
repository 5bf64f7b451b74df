"""What a prediction costs: parameters, floating-point operations, time."""

from __future__ import annotations

import contextlib
import inspect
import time
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.utils.flop_counter import FlopCounterMode

    from equipoise.training.inference import LoadedModel

REPEATS = 5


def prediction_cost(loaded: LoadedModel, inputs: dict[str, Tensor]) -> dict[str, Any]:
    """Measure model and method on one batch; reading and preparing it is not part of it.

    Args:
        loaded: Model, in evaluation mode, and method, on the device of ``inputs``.
        inputs: ``{m: (B, ...)}`` as :func:`equipoise.training.inference.prepared` returns it.

    Returns:
        ``parameters``: of encoders, heads, fusion and the method's own layers;
        ``flops_per_sample``: of matrix products and convolutions, two for each multiply-add, of the
        pass of a single sample; ``seconds_per_sample``: median of :data:`REPEATS` passes of the
        batch after one to warm up, divided by ``batch``; ``batch``: B; ``device``: where.
    """
    import torch

    def passed(batch: dict[str, Tensor]) -> float:
        start = time.perf_counter()
        loaded.method.predict(loaded.model(batch))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    some = next(iter(inputs.values()))
    device, count = some.device, len(some)
    with torch.no_grad():
        counter = _flop_counter()
        with _written_out(), counter:
            passed({m: x[:1] for m, x in inputs.items()})
        passed(inputs)
        seconds = median(passed(inputs) for _ in range(REPEATS))
    return {
        "parameters": sum(p.numel() for p in loaded.model.parameters()),
        "flops_per_sample": counter.get_total_flops(),
        "seconds_per_sample": seconds / count,
        "batch": count,
        "device": _name(device),
    }


@contextlib.contextmanager
def _written_out() -> Iterator[None]:
    """Have transformers of PyTorch run operation by operation: fused layers are not counted."""
    import torch

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _flop_counter() -> FlopCounterMode:
    """Return torch's counter, without the import of torch's compiler at its first operation.

    Its mode is decorated for torch.compile, and the decorator imports that. Nothing is compiled
    here, so the undecorated mode counts the same. One that is not decorated is taken as it is.
    """
    from torch.utils import flop_counter

    mode = getattr(flop_counter, "_FlopCounterMode", None)
    if mode is not None:
        mode.__torch_dispatch__ = inspect.unwrap(mode.__torch_dispatch__)
    return flop_counter.FlopCounterMode(display=False)


def _name(device: torch.device) -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'' if threads == 1 else 's'}"
