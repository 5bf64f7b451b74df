"""Suffixes of files, lower case."""

from __future__ import annotations

VIDEOS = (
    *(".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)
SOUNDS = (
    *(".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".flac", ".m4a"),
    *(".mka", ".mp2", ".mp3", ".oga", ".ogg", ".opus", ".sph", ".tta", ".w64", ".wav", ".wma"),
    *(".wv", *VIDEOS),
)
STILLS = (
    *(".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pcx", ".pgm", ".png", ".pnm"),
    *(".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
ARRAYS = (".npy", ".npz", ".mat", ".h5", ".hdf5")
"""Files that hold named arrays."""
TABLES = (".csv", ".tsv", ".parquet")
"""Files that hold columns: an array with the axes (rows, columns)."""
