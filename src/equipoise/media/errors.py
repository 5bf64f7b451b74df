"""Why a file gives no sample: the errors of this room, one line each."""


class MediaError(Exception):
    """A file that cannot be decoded as a whole; the message is the reason, in one line."""


class MissingStreamError(MediaError):
    """Media, but without the stream that a modality is made of."""

    def __init__(self, modality: str) -> None:
        super().__init__(f"no {modality} stream")
        self.modality = modality
