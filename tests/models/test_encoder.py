"""What every encoder may use."""

from __future__ import annotations

import pytest
import torch

from equipoise.models.encoder import without_padding


def tokens(*lengths: int, width: int = 6) -> torch.Tensor:
    there = torch.arange(width) < torch.tensor(lengths)[:, None]
    return torch.stack([torch.arange(1, width + 1) * there, there.long()], dim=1)


@pytest.mark.parametrize(("lengths", "kept"), [((2, 4, 1), 4), ((6, 1), 6), ((0, 0), 1)])
def test_only_the_padding_of_all_texts_goes(lengths: tuple[int, ...], kept: int) -> None:
    inputs = tokens(*lengths)
    assert torch.equal(without_padding(inputs), inputs[:, :, :kept])


def test_a_hole_inside_of_a_text_stays() -> None:
    inputs = tokens(5)
    inputs[:, 1, 2] = 0
    assert torch.equal(without_padding(inputs), inputs[:, :, :5])


def test_no_device_is_waited_for() -> None:
    assert without_padding(tokens(2, 3).to("meta")).shape == (2, 2, 6)
