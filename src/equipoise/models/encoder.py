"""The form of every encoder: a stem, a body and a projection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from equipoise.errors import UserError

Part = Literal["stem", "body", "projection"]


class Encoder(nn.Module):
    """Maps the input of one modality to features (B, D).

    A subclass builds ``self.body`` (and ``self.stem``, if it has one) and says in :meth:`embed`
    how they are run. Samples of a batch do not see each other, but for batch normalisation.

    Args:
        width: Length E of what :meth:`embed` returns.
        features: D.
    """

    published: ClassVar[Mapping[str, str]] = {}
    """Beginnings of the names of weights as they are published, to ours ('': not wanted)."""
    entry: ClassVar[str] = ""
    """Name of the weights (O, C, ...) that read the C channels of a picture."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.width = width
        self.projection: nn.Module = projection(width, features)
        self._frozen: list[str] = []
        self.rates: dict[Part, float] = {}
        """Part to a factor on the learning rate (1 where it stands not here)."""

    def embed(self, inputs: Tensor) -> Tensor:
        """Return what stem and body make of a batch of inputs: (B, E)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Map a batch of inputs to features (B, D)."""
        features: Tensor = self.projection(self.embed(inputs))
        return features

    def tensors(self, path: Path) -> dict[str, Tensor] | None:
        """Return the weights of a file by our names, if this encoder reads them in its own way.

        Raises:
            UserError: They do not fit.
        """
        return None

    def parts(self) -> dict[Part, nn.Module]:
        """Return the parts that there are, from the input on."""
        names: tuple[Part, ...] = ("stem", "body", "projection")
        return {name: part for name in names if (part := getattr(self, name, None)) is not None}

    def factors(self) -> Iterator[tuple[float, nn.Parameter]]:
        """Yield the factor on the learning rate of each parameter."""
        for name, part in self.parts().items():
            for parameter in part.parameters():
                yield self.rates.get(name, 1.0), parameter

    def freeze(self, part: Literal["none", "stem", "body"]) -> Self:
        """Keep the weights up to ``part`` as they are; running statistics of these stay, too.

        Raises:
            UserError: There is no such part.
        """
        parts = list(self.parts())
        if part == "none":
            return self
        if part not in parts:
            raise UserError(f"encoders: no {part} to freeze; it has {', '.join(parts)}")
        self._frozen = [str(name) for name in parts[: parts.index(part) + 1]]
        for name in self._frozen:
            self.get_submodule(name).requires_grad_(False)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the mode, but for the frozen parts: they stay in evaluation mode."""
        super().train(mode)
        for name in self._frozen:
            self.get_submodule(name).eval()
        return self


class Projection(Encoder):
    """What is left of an encoder whose body ran in stage embed: (B, E) to features (B, D)."""

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the inputs: they are embedded already."""
        return inputs.float()


def projection(width: int, features: int) -> nn.Module:
    """Return the last part of every encoder: one linear layer and a ReLU."""
    return nn.Sequential(nn.Linear(width, features), nn.ReLU())


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (B, W) of values (B, L, W) over positions where the mask (B, L) is 1.

    0 where no position is.
    """
    weights = mask[:, :, None].to(values.dtype)
    return (values * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def without_padding(inputs: Tensor) -> Tensor:
    """Return tokens (B, 2, L) without the places at the end at which no text of the batch has any.

    On a CPU alone: elsewhere to ask for the longest text would wait for the device, and a compiled
    network would be compiled for each length.
    """
    if inputs.device.type != "cpu" or torch.compiler.is_compiling():
        return inputs
    there = inputs[:, 1].any(dim=0).nonzero()
    return inputs[:, :, : int(there[-1]) + 1 if len(there) else 1]


def mean_over(vectors: Tensor, frames: int) -> Tensor:
    """Return the mean (B, C) over frames of vectors (B x F, C); B may be 0."""
    # Without elements, a size of -1 could be any.
    return vectors.reshape(len(vectors) // frames, frames, vectors.shape[1]).mean(dim=1)


def mean_of_frames(maps: Tensor, frames: int) -> Tensor:
    """Return the mean (B, C) over pixels and frames of maps (B x F, C, H, W)."""
    return mean_over(maps.mean(dim=(2, 3)), frames)
