"""Why a file gives no sample: the errors of this room, one line each."""


class MediaError(Exception):
    """A file that cannot be decoded as a whole; the message is the reason, in one line."""


class MissingStreamError(MediaError):
    """Media, but without the stream that a modality is made of."""

    def __init__(self, modality: str) -> None:
        super().__init__(f"no {modality} stream")
        self.modality = modality

    def __reduce__(self) -> tuple[object, ...]:
        """Travel from a worker with the message that was made of it (led by another name, say)."""
        return (_missing, (self.modality, self.args))


def _missing(modality: str, args: tuple[object, ...]) -> MissingStreamError:
    error = MissingStreamError(modality)
    error.args = args
    return error
