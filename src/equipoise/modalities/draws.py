"""Random numbers of an epoch: a function of seed, epoch, stream and name alone."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor


def mixed(*numbers: int) -> int:
    """Mix numbers into one seed; a sum would give seed 0, epoch 2 that of seed 1, epoch 1."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


class Dice:
    """Draws the random numbers of one epoch for one modality, for all samples at once.

    Each quantity has a generator of its own, named by the group of the modality and the quantity:
    modalities of one group (``augment: {share: NAME}``) get the same numbers for what both draw,
    whatever else each of them draws.

    Args:
        seed: (seed of the run, epoch).
        group: Name that aligned modalities share; the modality's own by default.
        count: Samples in the epoch.
        device: Where the numbers go; they are drawn on the CPU, in one copy each.
    """

    def __init__(self, seed: tuple[int, int], group: str, count: int, device: torch.device) -> None:
        self._seed, self._group, self._count, self._device = seed, group, count, device

    def uniform(self, name: str, *size: int) -> Tensor:
        """Return float32 (count, *size), uniform in [0, 1)."""
        words = zlib.crc32(f"{self._group}/{name}".encode())
        generator = torch.Generator().manual_seed(mixed(*self._seed, 1, words))
        return torch.rand(self._count, *size, generator=generator).to(self._device)


def hashed(seeds: Tensor, length: int) -> Tensor:
    """Return (B, length) numbers, uniform in [0, 1): functions of ``seeds`` (B,) in [0, 1).

    For quantities too many to draw for an epoch at once (one for each token): integer mixing, so
    that every device gives the same.
    """
    mask = 0xFFFFFFFF
    start = (seeds.double() * 2**24).long() * 0x9E3779B1
    value = (start[:, None] + torch.arange(length, device=seeds.device) * 0x85EBCA77) & mask
    for factor in (0x7FEB352D, 0x846CA68B):
        value = ((value ^ (value >> 16)) * factor) & mask
    return ((value ^ (value >> 16)) >> 8).float() / 2**24
