"""File names: what is an image by its name, and what case a file belongs to."""

from __future__ import annotations

import os

from lungseg import storage

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".dcm",
    ".dicom",
    ".dic",
    ".img",
    "",
)
"""Endings of image files; none at all is usual for DICOM."""


def base(path: str) -> str:
    """The last part of a path."""
    return path.rstrip("/").rsplit("/", 1)[-1]


def stem(path: str) -> str:
    """The last part of a path without its ending."""
    return os.path.splitext(base(path))[0]


def is_image(path: str) -> bool:
    """Whether a file is an image by its name."""
    return os.path.splitext(base(path))[1].lower() in IMAGE_SUFFIXES


def key(path: str, folder: str) -> str:
    """Path below the folder without its ending, the folders joined by "_"."""
    below = os.path.splitext(path)[0][len(folder.rstrip("/")) + 1 :]
    return below.replace("/", "_")


def child(folder: str, name: str) -> str | None:
    """Path of the folder of this name in a folder, None where there is none."""
    path = storage.join(folder, name)
    return path if storage.is_folder(path) else None
