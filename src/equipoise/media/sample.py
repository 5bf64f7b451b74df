"""All files of one sample to one array for each modality."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from equipoise.media import by_program as files
from equipoise.media.audio import samples
from equipoise.media.ffmpeg import MediaError, MissingStreamError
from equipoise.params import Extract


def shapes(
    modalities: tuple[str, ...], settings: Extract
) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return the shape of one sample and the type of its numbers, for each modality.

    Raises:
        UserError: The sound is too short for the Fourier transform.
    """
    video, image, audio = settings.video, settings.image, settings.audio
    known: dict[str, tuple[tuple[int, ...], str]] = {
        "video": ((video.frames, video.size, video.size, 3), "uint8"),
        "image": ((image.size, image.size, 3), "uint8"),
    }
    if "audio" in modalities:
        times = samples(audio) // audio.hop + 1
        known["audio"] = ((audio.n_fft // 2 + 1, times), "float16")
    return {modality: known[modality] for modality in modalities}


def decode(paths: Mapping[str, Path], settings: Extract) -> dict[str, NDArray[Any]]:
    """Decode one sample: one ffmpeg process for each file (one for picture and sound together).

    Args:
        paths: Modality to file.
        settings: How each modality is wanted.

    Returns:
        Modality to array, of the shapes that :func:`shapes` says.

    Raises:
        MediaError: A file cannot be decoded as a whole; the reason, led by the modality where the
            sample has several files.
        MissingStreamError: The same of a file that is media, but does not hold the modality.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for path in dict.fromkeys(paths.values()):
        wanted = [modality for modality, other in paths.items() if other == path]
        try:
            arrays |= _file(path, wanted, settings)
        except MediaError as error:
            if len(set(paths.values())) > 1:
                error.args = (f"{wanted[0]}: {error}",)
            raise
    return {modality: arrays[modality] for modality in paths}


def decode_present(paths: Mapping[str, Path], settings: Extract) -> dict[str, NDArray[Any]]:
    """Decode one sample as :func:`decode` does, without the modalities its files do not hold.

    Returns:
        Modality to array, for one modality or more.

    Raises:
        MediaError: A file cannot be decoded as a whole, or holds nothing of what is wanted.
    """
    left = dict(paths)
    while True:
        try:
            return decode(left, settings)
        except MissingStreamError as error:
            del left[error.modality]
            if not left:
                raise MediaError(f"no {' and no '.join(paths)} stream") from None


def _file(path: Path, wanted: list[str], settings: Extract) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any] | None] = {}
    if "image" in wanted:
        arrays["image"] = files.still(path, settings.image)
    if "video" in wanted or "audio" in wanted:
        arrays["video"], arrays["audio"] = files.clip(
            path,
            settings.video if "video" in wanted else None,
            settings.audio if "audio" in wanted else None,
        )
    return {modality: array for modality, array in arrays.items() if array is not None}
