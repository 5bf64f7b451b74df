"""Suffixes of files, lower case."""

from __future__ import annotations

VIDEOS = (
    *(".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".ogv", ".ts", ".webm", ".wmv"),
)
SOUNDS = (
    *(".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"),
    *VIDEOS,
)
STILLS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tga", ".tif", ".tiff", ".webp")
ARRAYS = (".npy", ".npz", ".mat", ".h5", ".hdf5")
"""Files that hold named arrays."""
TABLES = (".csv", ".tsv", ".parquet")
"""Files that hold columns: an array with the axes (rows, columns)."""
