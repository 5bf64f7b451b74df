"""Which libraries decode media: their versions stand with the features."""

from functools import cache


@cache
def decoder() -> str:
    """Return the versions of PyAV, of the ffmpeg libraries in it, and of Pillow, in one line."""
    import av
    import PIL

    return f"PyAV {av.__version__} (ffmpeg {av.ffmpeg_version_info}), Pillow {PIL.__version__}"
