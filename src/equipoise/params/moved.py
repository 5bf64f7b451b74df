"""Keys of older params files: each gets one line that says what to write now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Old section of ``extract`` to what is written in its place, for example.
_KINDS = {
    "video": "{kind: frames, pick: {even: 4}, size: 32}",
    "audio": "{kind: sound, rate: 8000, seconds: 0.8, n_fft: 256, hop: 128}",
    "image": "{kind: image, size: 32}",
}
_AUGMENT = {
    "shift": "datasets.NAME.augment: {video: {shift: 2}}",
    "spectrogram_mask": "datasets.NAME.augment: {audio: {mask_time: 0.3}}",
}


def refuse(values: Any) -> None:
    """Refuse parameters that were written before modalities had names of their own.

    Raises:
        ValueError: One line: which key, and what takes its place.
    """
    for old, new in _found(values):
        raise ValueError(f"{old} is no parameter any more; write {new} (docs/own-data.md)")


def _found(values: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(values, Mapping):
        return
    yield from _below(values, "")
    datasets = values.get("datasets")
    for name, entry in (datasets if isinstance(datasets, Mapping) else {}).items():
        if not isinstance(entry, Mapping):
            continue
        yield from _below(entry, f"datasets.{name}.")
        if not entry.get("modalities"):
            example = _KINDS["video"]
            yield (
                f"datasets.{name} without modalities",
                f"datasets.{name}.modalities: {{video: {example}}}, one entry for each modality, "
                "or name the overlay that has them before this one",
            )


def _below(values: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    for section in ("extract", "model", "train"):
        table = values.get(section)
        for key in table if isinstance(table, Mapping) else ():
            place = where.removesuffix(".") or "datasets.NAME"
            if section == "extract" and key in _KINDS:
                yield f"{where}extract.{key}", f"{place}.modalities: {{{key}: {_KINDS[key]}}}"
            elif section == "model" and key == "encoders":
                yield f"{where}model.encoders", f"{place}.encoders: {{video: conv_frames}}"
            elif section == "train" and key in _AUGMENT:
                yield f"{where}train.{key}", _AUGMENT[key].replace("datasets.NAME", place)
