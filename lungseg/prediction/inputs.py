"""Which images a prediction is asked for: folders, globs, lists and single files."""

from __future__ import annotations

import glob
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import fsspec
import pandas as pd

from lungseg import storage
from lungseg.datasets.names import base, is_image
from lungseg.errors import UserError

_LISTS = (".csv", ".parquet")
_COLUMNS = ("image", "path", "source_path")
_WILDCARDS = "*?["


@dataclass(frozen=True, slots=True)
class Input:
    """One image, before it has been opened."""

    image_id: str
    """Unique among the inputs: the path below the folder given, without its ending."""
    path: str


def find_images(paths: Sequence[str]) -> list[Input]:
    """All images at some places, sorted by path, each once.

    Args:
        paths: folders (with all below them), globs, CSV or Parquet lists with a column "image" or
            "path" (relative paths count from the list's folder), or images; local or URLs.

    Raises:
        UserError: a place is not there, a list has no such column, or there is no image.
    """
    found: dict[str, str] = {}
    for path in paths:
        for image, name in _expand(storage.absolute(path)):
            found.setdefault(image, name)
    if not found:
        raise UserError(f"no image in {', '.join(paths)}")
    return _name(sorted(found.items()))


def _expand(path: str) -> Iterator[tuple[str, str]]:
    """(path, name) of the images at a place."""
    if storage.is_folder(path):
        start = len(path.rstrip("/")) + 1
        for image in storage.list_files(path, recursive=True):
            if is_image(image):
                yield image, image[start:]
    elif storage.exists(path):
        if path.lower().endswith(_LISTS):
            yield from _read_list(path)
        else:
            yield path, base(path)
    elif any(mark in path for mark in _WILDCARDS):
        for match in _glob(path):
            yield match, base(match)
    else:
        raise UserError(f"{path} is not there: give a folder, a glob, a list or an image")


def _glob(pattern: str) -> list[str]:
    if not storage.is_url(pattern):
        matches = glob.glob(pattern, recursive=True)
        return [match for match in matches if os.path.isfile(match) and is_image(match)]
    filesystem, inner = fsspec.url_to_fs(pattern)
    matches = [str(filesystem.unstrip_protocol(match)) for match in filesystem.glob(inner)]
    return [match for match in matches if is_image(match)]


def _read_list(path: str) -> Iterator[tuple[str, str]]:
    data = io.BytesIO(storage.read_bytes(path))
    try:
        table = pd.read_csv(data, dtype=str) if path.endswith(".csv") else pd.read_parquet(data)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is no readable list: {str(error).splitlines()[0]}") from error
    column = next((name for name in _COLUMNS if name in table), None)
    if column is None:
        raise UserError(f"{path} needs a column image or path, it has {', '.join(table.columns)}")
    folder = path.rsplit("/", 1)[0]
    for entry in table[column].dropna().astype(str):
        whole = storage.is_url(entry) or os.path.isabs(entry)
        yield entry if whole else storage.join(folder, entry), entry.lstrip("/")


def _name(images: Sequence[tuple[str, str]]) -> list[Input]:
    """Name each image by its stem; where two are alike by its name, then with a number."""
    stems = Counter(os.path.splitext(name)[0] for _, name in images)
    taken: set[str] = set()
    inputs = []
    for path, name in images:
        short = os.path.splitext(name)[0]
        wanted = short if stems[short] == 1 else name
        image_id, number = wanted, 2
        while image_id in taken:
            image_id, number = f"{wanted}~{number}", number + 1
        taken.add(image_id)
        inputs.append(Input(image_id, path))
    return inputs
