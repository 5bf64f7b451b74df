"""What is known of each architecture: what it is given, and how its vectors become one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """One ``model_type`` of transformers."""

    layout: str
    """What it is given."""
    poolings: tuple[str, ...]
    """What may be chosen; the first where nothing is."""
    special: int = 0
    """Positions at the front that the mean leaves out (class tokens of pictures). In texts the
    mean is over all that is no padding, class token included, as in sentence-transformers."""
    unused: tuple[str, ...] = ()
    """Beginnings of names of weights that no pooling of ours reads."""
    frames: bool = False
    """It reads all frames of a clip at once."""
    any_size: bool = False
    """It reads pictures of any size."""


_TEXT = Architecture("tokens", ("mean", "cls"), unused=("pooler.",))
_POOLED = Architecture("tokens", ("mean", "cls", "pooler"), unused=("pooler.",))
_SPEECH = Architecture("waveform", ("mean",), unused=("masked_spec_embed",))
_MAPS = Architecture("pictures", ("pooler",), any_size=True)

ARCHITECTURES = {
    "albert": _POOLED,
    "bert": _POOLED,
    "deberta-v2": _TEXT,
    "distilbert": _TEXT,
    "electra": _TEXT,
    "modernbert": _TEXT,
    "mpnet": _TEXT,
    "roberta": _TEXT,
    "xlm-roberta": _TEXT,
    # The last normalisation stands before the class token is taken, but in CLIP after.
    "beit": Architecture("pictures", ("pooler", "mean", "cls"), 1, ("pooler.",)),
    "clip_vision_model": Architecture("pictures", ("pooler",), 1),
    "convnext": _MAPS,
    "deit": Architecture("pictures", ("cls", "mean"), 2, ("pooler.",)),
    "dinov2": Architecture("pictures", ("cls", "mean"), 1, ("embeddings.mask_token",)),
    "resnet": _MAPS,
    "siglip_vision_model": Architecture("pictures", ("pooler",)),
    "swin": Architecture("pictures", ("pooler",)),
    "vit": Architecture("pictures", ("cls", "mean"), 1, ("pooler.",)),
    "timesformer": Architecture("pictures", ("cls", "mean"), 1, frames=True),
    "videomae": Architecture("pictures", ("mean",), frames=True),
    "vivit": Architecture("pictures", ("cls", "mean"), 1, ("pooler.",), frames=True),
    "hubert": _SPEECH,
    "wav2vec2": _SPEECH,
    "wavlm": _SPEECH,
    # Class and distillation token, averaged (Gong et al., Interspeech 2021).
    "audio-spectrogram-transformer": Architecture("spectrogram", ("pooler", "mean"), 2),
}
