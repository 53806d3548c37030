"""File names: what is an image by its name, and what case a file belongs to."""

from __future__ import annotations

import os
import re

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

_NUMBER = re.compile(r"\.\d+")


def base(path: str) -> str:
    """The last part of a path."""
    return path.rstrip("/").rsplit("/", 1)[-1]


def stem(path: str) -> str:
    """The last part of a path without its ending."""
    return split_ending(base(path))[0]


def split_ending(path: str) -> tuple[str, str]:
    """The path without its ending, and the ending.

    A number is none: DICOM files are often named by their UID, "1.2.840.113619.2.55".
    """
    name, ending = os.path.splitext(path)
    return (path, "") if _NUMBER.fullmatch(ending) else (name, ending)


def is_image(path: str) -> bool:
    """Whether a file is an image by its name."""
    return split_ending(base(path))[1].lower() in IMAGE_SUFFIXES


def key(path: str, folder: str) -> str:
    """Path below the folder without its ending, the folders joined by "_"."""
    below = split_ending(path)[0][len(folder.rstrip("/")) + 1 :]
    return below.replace("/", "_")


def child(folder: str, name: str) -> str | None:
    """Path of the folder of this name in a folder, None where there is none."""
    path = storage.join(folder, name)
    return innermost(path) if storage.is_folder(path) else None


def innermost(folder: str) -> str:
    """The folder, or that of its own name in it where there is nothing else: archives often unpack
    so ("mask/mask/")."""
    inner = storage.join(folder, base(folder))
    alone = storage.list_folders(folder) == [inner] and not storage.list_files(folder)
    return innermost(inner) if alone else folder
