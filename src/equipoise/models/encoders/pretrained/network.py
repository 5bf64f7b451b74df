"""A network of transformers as an encoder."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.console import log
from equipoise.errors import UserError
from equipoise.modalities.base import Input
from equipoise.models import loading
from equipoise.models.encoder import Encoder, masked_mean, mean_over, without_padding
from equipoise.models.encoders.pretrained import Options
from equipoise.models.encoders.pretrained.config import architecture, check, pooling

ATTENTION = "eager"
"""Written out: the fused kernels have no second derivative, and on a GPU no deterministic one."""


class Pretrained(Encoder):
    """The network without its heads, and a pooling.

    Args:
        network: A model of transformers.
        width: Length of its vectors.
        features: Length of the features.
        options: With the configuration filled in.
    """

    def __init__(self, network: nn.Module, width: int, features: int, options: Options) -> None:
        super().__init__(width, features)
        self.known, self.pooling = architecture(options.config), pooling(options)
        self.level = options.level
        config: Any = network.config
        self.channels: int = getattr(config, "num_channels", 0)
        for name, parameter in network.named_parameters():
            if self._is_unused(name):
                parameter.requires_grad_(False)
        self.body = network

    def _is_unused(self, name: str) -> bool:
        begins = [b for b in self.known.unused if not b.startswith(self.pooling)]
        return name.startswith(tuple(begins))

    def embed(self, inputs: Tensor) -> Tensor:
        """Map tokens, frames, waveforms or filter banks to (B, E)."""
        if not len(inputs):  # transformers has no empty batches, and parameters want a gradient
            return self.embed(inputs.new_ones((1, *inputs.shape[1:])))[:0]
        vectors: Tensor = getattr(self, f"_{self.known.layout}")(inputs)
        return vectors

    def _tokens(self, inputs: Tensor) -> Tensor:
        ids, mask = without_padding(inputs).unbind(1)
        output = self.body(input_ids=ids, attention_mask=mask)
        return masked_mean(output[0], mask) if self.pooling == "mean" else self._pool(output)

    def _pictures(self, inputs: Tensor) -> Tensor:
        colour = inputs.expand(-1, -1, self.channels, -1, -1)  # grey: all channels are equal
        if self.known.frames:
            return self._pool(self.body(pixel_values=colour))
        vectors = self._pool(self.body(pixel_values=colour.flatten(0, 1)))
        return mean_over(vectors, inputs.shape[1])

    def _waveform(self, inputs: Tensor) -> Tensor:
        if self.level:
            centred = inputs - inputs.mean(dim=1, keepdim=True)
            inputs = centred * torch.rsqrt(centred.square().mean(dim=1, keepdim=True) + 1e-7)
        return self._pool(self.body(input_values=inputs))

    def _spectrogram(self, inputs: Tensor) -> Tensor:
        return self._pool(self.body(input_values=inputs.transpose(1, 2)))

    def _pool(self, output: Any) -> Tensor:
        if self.pooling == "pooler":
            pooled: Tensor = output.pooler_output
            return pooled.flatten(1)
        vectors: Tensor = output[0]
        if self.pooling == "cls":
            return vectors[:, 0]
        return vectors[:, self.known.special :].mean(dim=1)

    def tensors(self, path: Path) -> dict[str, Tensor]:
        """Return the weights of a folder by our names.

        Raises:
            UserError: Some are missing, or are no part of the network.
        """
        network, report = _load(path.parent)
        missing = [name for name in report["missing_keys"] if not self._is_unused(name)]
        begin = f"{network.base_model_prefix}."
        unexpected = set(report["unexpected_keys"])
        heads: set[str] = set()
        # A file of a network with a head says which is which; what a head is, no file says.
        if unexpected and any(name.startswith(begin) for name in loading.read(path)):
            heads = {name for name in unexpected if not name.startswith(begin)}
            log.info("%s: not wanted: %s", path, loading.some(sorted(heads)))
        faults = {"missing": sorted(missing), "unexpected": sorted(unexpected - heads)}
        said = [f"{what}: {loading.some(names)}" for what, names in faults.items() if names]
        if said:
            raise UserError(
                f"{path}: does not fit its config.json: {'; '.join(said)}; restore the folder, or "
                "name another pooling"
            )
        return {f"body.{name}": value for name, value in network.state_dict().items()}


def build(given: Input, features: int, options: Options) -> Pretrained:
    """Return the encoder of what the network reads; its weights are random, not yet loaded.

    Raises:
        UserError: It cannot read what is given.
    """
    import transformers

    auto: Any = transformers.AutoModel
    config = configuration(options.config)
    check(given, config, architecture(options.config))
    network = auto.from_config(config, dtype=torch.float32, attn_implementation=ATTENTION)
    width = getattr(config, "hidden_size", None) or config.hidden_sizes[-1]
    return Pretrained(network, width, features, options)


def configuration(said: Mapping[str, Any]) -> Any:
    """Return the configuration of transformers with nothing left to chance.

    Raises:
        UserError: transformers refuses it.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    try:
        config = CONFIG_MAPPING[said["model_type"]].from_dict(dict(said))
    except (TypeError, ValueError, StrictDataclassError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"encoder 'pretrained': config.json is refused: {reason}") from None
    for name, value in config.to_dict().items():
        if "drop" in name and isinstance(value, int | float):
            setattr(config, name, type(value)(0))
    config.apply_spec_augment = False  # masks the sound by numpy's global generator
    return config


def _load(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return the network of a folder, and what was missing or too much.

    Raises:
        UserError: A file is damaged, of another shape, or holds more than tensors.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel
    from transformers.utils import logging

    say: Any = logging
    say.set_verbosity_error()
    say.disable_progress_bar()
    try:
        network, report = AutoModel.from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation=ATTENTION,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except pickle.UnpicklingError:
        raise UserError(
            f"{folder}: its weights hold more than tensors, and reading them would run their "
            "code; save them as safetensors where you trust them"
        ) from None
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{folder}: weights cannot be read ({reason}); restore them") from None
    return network, report
