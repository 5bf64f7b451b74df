"""Where pictures are cut, and the cut itself, for a batch at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from equipoise.modalities.sizes import Crop

TRIES = 10
"""As torchvision's RandomResizedCrop; then the middle is taken."""


def random_boxes(tries: Tensor, place: Tensor, size: tuple[int, int], crop: Crop) -> Tensor:
    """Return random boxes (N, 4): top, left, height, width in pixels.

    The distribution is that of torchvision's RandomResizedCrop (of its RandomCrop without
    ``scale``), but for boxes that exceed the picture by less than half a pixel: torchvision takes
    them, here they are drawn again. So it is the shape of the picture that decides, not its size:
    cameras of different resolution get the same part from the same numbers.

    Args:
        tries: (N, TRIES, 2) in [0, 1): area and ratio of each try.
        place: (N, 2) in [0, 1).
        size: Height and width of the pictures.
        crop: What is wanted.
    """
    height, width = size
    if crop.scale is None:
        lengths = torch.tensor(crop.size, device=place.device).expand(len(place), 2)
    else:
        area = crop.scale[0] + tries[..., 0].double() * (crop.scale[1] - crop.scale[0])
        low, high = math.log(crop.ratio[0]), math.log(crop.ratio[1])
        ratio = torch.exp(low + tries[..., 1].double() * (high - low))
        tall = torch.sqrt(area / ratio * (width / height))  # as a part of the height
        wide = torch.sqrt(area * ratio * (height / width))
        fits = (tall <= 1) & (wide <= 1)
        first = fits.to(torch.uint8).argmax(dim=1, keepdim=True)
        tall, wide = tall.gather(1, first)[:, 0], wide.gather(1, first)[:, 0]
        lengths = torch.stack([tall * height, wide * width], dim=1).round().long().clamp_(min=1)
        middle = torch.tensor(_fallback(size, crop), device=place.device)
        lengths = torch.where(fits.any(dim=1, keepdim=True), lengths, middle)
    room = torch.tensor(size, device=place.device) - lengths
    start = (place.double() * (room + 1)).long()
    if crop.scale is not None:
        start = torch.where(fits.any(dim=1, keepdim=True), start, room // 2)
    return torch.cat([start, lengths], dim=1)


def _fallback(size: tuple[int, int], crop: Crop) -> tuple[int, int]:
    """Return height and width of the largest part of an allowed shape."""
    height, width = size
    if width / height < crop.ratio[0]:
        return min(round(width / crop.ratio[0]), height), width
    if width / height > crop.ratio[1]:
        return height, min(round(height * crop.ratio[1]), width)
    return height, width


def middle(size: tuple[int, int], crop: Crop) -> tuple[int, int, int, int]:
    """Return the box (top, left, height, width) of evaluation."""
    if crop.evaluate == "whole":
        return 0, 0, *size
    top, left = ((have - want) / 2 for have, want in zip(size, crop.size, strict=True))
    return round(top), round(left), *crop.size


def resample(values: Tensor, boxes: Tensor, size: tuple[int, int], flip: Tensor | None) -> Tensor:
    """Cut a box out of each sample's pictures and scale it, bilinear and antialiased.

    On a GPU all at once, in float32; on a CPU one by one, where 8 bits are scaled in 8 bits and
    rounded, as torchvision does: at most one level from the former, in a tenth of the time.

    Args:
        values: (B, F, H, W, C).
        boxes: (B, 4) top, left, height, width; in pixels.
        size: Height S and width T of the result.
        flip: (B,) whether left and right are swapped.

    Returns:
        (B, F, S, T, C), float32, or uint8 on a CPU from uint8.
    """
    values = values if values.dtype == torch.uint8 else values.float()
    if values.device.type == "cpu":
        return resample_one_by_one(values, boxes, size, flip)
    return resample_at_once(values.float(), boxes, size, flip)


def resample_one_by_one(
    values: Tensor, boxes: Tensor, size: tuple[int, int], flip: Tensor | None
) -> Tensor:
    """See :func:`resample`: the scaling of torch, on the part that is kept."""
    result = values.new_empty((*values.shape[:2], *size, values.shape[4]))
    mirrored = [False] * len(values) if flip is None else flip.tolist()
    for k, (top, left, height, width) in enumerate(boxes.tolist()):
        part = values[k, :, top : top + height, left : left + width].permute(0, 3, 1, 2)
        scaled = functional.interpolate(part, size, mode="bilinear", antialias=True)
        result[k] = (scaled.flip(3) if mirrored[k] else scaled).permute(0, 2, 3, 1)
    return result


def resample_at_once(
    values: Tensor, boxes: Tensor, size: tuple[int, int], flip: Tensor | None
) -> Tensor:
    """See :func:`resample`; a view whose last but one axis is contiguous.

    Two matrix products, ``rows @ picture @ columns.T``, with the weights of
    ``torch.nn.functional.interpolate(mode="bilinear", antialias=True)`` (torchvision's resize).
    """
    batch, frames, height, width, channels = values.shape
    rows = weights(boxes[:, 0], boxes[:, 2], height, size[0])
    columns = weights(boxes[:, 1], boxes[:, 3], width, size[1])
    if flip is not None:
        columns = torch.where(flip[:, None, None], columns.flip(1), columns)
    tall = rows[:, None] @ values.reshape(batch, frames, height, width * channels)
    flat = tall.view(batch, -1, width, channels).transpose(2, 3).reshape(batch, -1, width)
    scaled = torch.bmm(flat, columns.transpose(1, 2))
    return scaled.view(batch, frames, size[0], channels, size[1]).transpose(3, 4)


def weights(start: Tensor, length: Tensor, inputs: int, outputs: int) -> Tensor:
    """Return (B, outputs, inputs): how pixels start ... start + length - 1 make the outputs.

    A triangle of half-width max(1, length / outputs) around the middle of each output pixel, cut
    off at the ends of the box, with sum 1.
    """
    device = start.device
    scale = (length.float() / outputs)[:, None, None]
    centre = (torch.arange(outputs, device=device).float() + 0.5)[:, None] * scale
    pixel = torch.arange(inputs, device=device).float() - start[:, None, None]
    triangle = 1 - (pixel + 0.5 - centre).abs() / scale.clamp(min=1)
    inside = (pixel >= 0) & (pixel < length[:, None, None])
    cut = triangle.clamp_(min=0) * inside
    return cut / cut.sum(dim=2, keepdim=True)


def gather(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pick rows and columns of each sample's pictures.

    Args:
        values: (B, F, H, W, C).
        rows: (B, S) indices.
        columns: (B, T) indices.

    Returns:
        (B, F, S, T, C), of the same type.
    """
    width = values.shape[3]
    pixels = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    flat = values.flatten(2, 3)
    index = pixels[:, None, :, None].expand(-1, flat.shape[1], -1, flat.shape[3])
    size = (*values.shape[:2], rows.shape[1], columns.shape[1], values.shape[4])
    return flat.gather(2, index).view(size)
