"""Which images a prediction is asked for: folders, globs, lists and single files."""

from __future__ import annotations

import io
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from lungseg import storage
from lungseg.datasets.names import base, is_image, split_ending
from lungseg.errors import UserError
from lungseg.prediction.parts import FILM_FOLDERS

_LISTS = (".csv", ".parquet")
_COLUMNS, _NAMES = ("image", "path", "source_path"), "image_id"
_WILDCARDS = "*?["


@dataclass(frozen=True, slots=True)
class Input:
    """One image, before it has been opened."""

    image_id: str
    """Unique among the inputs: the path below the folder given, without its ending. It never leads
    out of a folder that it is put below."""
    path: str


def find_images(paths: Sequence[str], out: str = "") -> list[Input]:
    """All images at some places, sorted by path, each once.

    Args:
        paths: folders (with all below them), globs, CSV or Parquet lists with a column "image" or
            "path" (relative paths count from the list's folder) and, if there are names,
            "image_id"; or images; local or URLs.
        out: folder of the predictions, whose own pictures are no inputs.

    Raises:
        UserError: a place is not there, a list has no such column, or there is no image.
    """
    own = tuple(f"{_key(storage.absolute(out))}/{name}/" for name in FILM_FOLDERS) if out else ()
    found: dict[str, tuple[str, str]] = {}
    for path in paths:
        for image, name in _expand(storage.absolute(path)):
            if not _key(image).startswith(own):
                found.setdefault(_key(image), (image, name))
    if not found:
        raise UserError(f"no image in {', '.join(paths)}")
    return _name(sorted(found.values()))


def _key(path: str) -> str:
    """The same for all ways to write a path: fsspec's `memory://a` is its `memory:///a`."""
    scheme, mark, rest = path.partition("://")
    return f"{scheme}://{rest.lstrip('/')}" if mark and storage.is_url(path) else path


def _expand(path: str) -> Iterator[tuple[str, str]]:
    """(path, name) of the images at a place."""
    if storage.is_folder(path):
        start = len(_key(path)) + 1
        for image in storage.list_files(path, recursive=True):
            if is_image(image):
                yield image, _key(image)[start:]
    elif storage.exists(path):
        if path.lower().endswith(_LISTS):
            yield from _read_list(path)
        else:
            yield path, base(path)
    elif any(mark in path for mark in _WILDCARDS):
        for match in filter(is_image, storage.match(path)):
            yield match, base(match)
    else:
        raise UserError(f"{path} is not there: give a folder, a glob, a list or an image")


def _read_list(path: str) -> Iterator[tuple[str, str]]:
    data = io.BytesIO(storage.read_bytes(path))
    is_csv = path.lower().endswith(".csv")
    try:
        table = pd.read_csv(data, dtype=str) if is_csv else pd.read_parquet(data)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is no readable list: {str(error).splitlines()[0]}") from error
    column = next((name for name in _COLUMNS if name in table), None)
    if column is None:
        named = ", ".join(map(str, table.columns))
        raise UserError(f"{path} needs a column image or path, it has {named}")
    listed = table[table[column].notna()]
    entries = listed[column].astype(str)
    names = entries.str.split("://", n=1).str[-1]
    if _NAMES in listed:  # as in the tables that `lungseg predict` writes
        names = listed[_NAMES].astype(str).where(listed[_NAMES].notna(), names)
    for entry, name in zip(entries, names, strict=True):
        yield _whole(entry, path.rsplit("/", 1)[0]), name


def _whole(entry: str, folder: str) -> str:
    """The address of a list's entry, without the steps upward that object storage does not know."""
    if storage.is_url(entry):
        return entry
    if entry.startswith(("/", "file://")) or not storage.is_url(folder):
        return os.path.abspath(os.path.join(folder, storage.local(entry)))
    scheme, inner = folder.split("://", 1)
    steps = entry.split("/")
    inner = f"{inner}/{entry}"
    return f"{scheme}://{posixpath.normpath(inner) if '..' in steps or '.' in steps else inner}"


def _name(images: Sequence[tuple[str, str]]) -> list[Input]:
    """Name each image by its stem; where two are alike by its name, then with a number."""
    names = ["/".join(part for part in name.split("/") if part.strip(".")) for _, name in images]
    stems = Counter(split_ending(name)[0] for name in names)
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    inputs = []
    for (path, _), name in zip(images, names, strict=True):
        short = split_ending(name)[0]
        wanted = (short if stems[short] == 1 else name) or "film"
        image_id = wanted
        while image_id in taken:
            numbers[wanted] += 1
            image_id = f"{wanted}~{numbers[wanted] + 1}"
        taken.add(image_id)
        inputs.append(Input(image_id, path))
    return inputs
