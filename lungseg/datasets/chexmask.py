"""CheXmask (Gaggion et al. 2024): masks as run lengths in a table, the images elsewhere.

The images are looked for below the folder of the table and below further folders; a row's image is
the file whose path ends with the row's id.
"""

from __future__ import annotations

import csv
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence

import fsspec

from lungseg import rle, storage
from lungseg.case import Case
from lungseg.datasets.found import Found
from lungseg.datasets.names import base, is_image, split_ending
from lungseg.errors import RejectedCase, UserError

MIN_QUALITY = 0.7
_QUALITY = "Dice RCA (Mean)"
_COLUMNS = (_QUALITY, "Left Lung", "Right Lung", "Height", "Width")
_SUFFIXES = (".csv", ".csv.gz")
_TAIL = 3
_MOST_CHARACTERS = 2_000_000
"""Of a field of a table; the run lengths of the largest films have a tenth."""
_UNREADABLE = (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error)
_PATIENT = re.compile(r"patient\d+|(?<=/)p\d{8}(?=/)|(?<![^/])\d{8}(?=_\d{3}\.)")


def recognise(folder: str) -> bool:
    """Whether it is a table of CheXmask, or a folder that holds some."""
    return bool(_tables(folder))


def find(folder: str, images: Sequence[str] = ()) -> Found:
    """Rows of sufficient quality (Dice RCA (Mean) ≥ 0.7, or none told) whose image is there.

    Args:
        folder: a table, or a folder with tables or with `OriginalResolution/`.
        images: further folders of images.

    Returns:
        Cases with `source` named after the table, their masks packed (the largest table holds
        10 GB of text). Rows without image are listed as one entry a table, since most users have
        only some of the images; rows with an image and a damaged entry one by one.

    Raises:
        UserError: there is no table, or it lacks a column.
    """
    tables = _tables(folder)
    if not tables:
        raise UserError(f"{folder} holds no CheXmask table (a CSV with {', '.join(_COLUMNS)})")
    image_of = _index([folder, *images])
    cases: list[Case] = []
    unmatched: list[tuple[str, str]] = []
    for table in tables:
        absent = 0
        for row_id, row in _rows(table):
            image = image_of.get(_tail(row_id))
            if image is None:
                absent += 1
                continue
            try:
                cases.append(_case(row_id, row, image, table))
            except RejectedCase as error:
                unmatched.append((image, str(error)))
        if absent:
            unmatched.append((table, f"{absent} rows have no image in the given folders"))
    return Found(tuple(cases), tuple(unmatched))


def _tables(folder: str) -> list[str]:
    if folder.lower().endswith(_SUFFIXES):
        paths = [folder]
    else:
        nested = storage.join(folder, "OriginalResolution")
        paths = [*storage.list_files(folder), *storage.list_files(nested)]
    return [path for path in paths if path.lower().endswith(_SUFFIXES) and _is_table(path)]


def _is_table(path: str) -> bool:
    try:
        with _open(path) as stream:
            names = next(csv.reader([stream.readline(4096)]), [])
    except _UNREADABLE:
        return False
    return set(_COLUMNS) <= set(names)


def _open(path: str) -> fsspec.core.OpenFile:
    return fsspec.open(path, "rt", compression="infer", newline="", encoding="utf-8")


def _rows(table: str) -> Iterator[tuple[str, dict[str, str]]]:
    csv.field_size_limit(_MOST_CHARACTERS)
    try:
        with _open(table) as stream:
            reader = csv.DictReader(stream, restval="")
            names = reader.fieldnames or [""]
            if not set(_COLUMNS) <= set(names):
                raise UserError(f"{table} lacks one of the columns {', '.join(_COLUMNS)}")
            for row in reader:
                yield row[names[0]], row
    except _UNREADABLE as error:
        raise UserError(f"{table} cannot be read: {error}") from error


def _index(folders: Iterable[str]) -> dict[str, str]:
    """Path of each image by the last one, two and three parts of its path, where unambiguous."""
    index: dict[str, str] = {}
    seen: set[str] = set()
    for folder in folders:
        for path in filter(is_image, storage.list_files(folder, recursive=True)):
            parts = split_ending(path)[0].split("/")
            for count in range(1, _TAIL + 1):
                tail = "/".join(parts[-count:])
                if tail in seen:
                    index.pop(tail, None)
                else:
                    seen.add(tail)
                    index[tail] = path
    return index


def _tail(row_id: str) -> str:
    """The last parts of an id, which may be a name or a path, with or without an ending."""
    name, ending = split_ending(row_id)
    return "/".join((name if is_image(f"x{ending}") else row_id).split("/")[-_TAIL:])


def _case(row_id: str, row: dict[str, str], image: str, table: str) -> Case:
    """The case of a row.

    Raises:
        RejectedCase: its quality is too low, or an entry is damaged.
    """
    quality = row[_QUALITY]
    if quality and not _number(quality, _QUALITY) >= MIN_QUALITY:
        raise RejectedCase(f"CheXmask's quality estimate {quality} is below {MIN_QUALITY}")
    height, width = (_number(row[name], name) for name in ("Height", "Width"))
    lungs = [row[side] for side in ("Left Lung", "Right Lung") if row[side]]
    patient = _PATIENT.search(image)
    return Case(
        case_id=_tail(row_id).replace("/", "_"),
        image=image,
        mask_rle=tuple(map(rle.pack, lungs)),
        mask_size=(int(height), int(width)),
        patient_id=patient[0] if patient else "",
        source=base(table).split(".")[0],
        mask_convention="heart-excluded",
    )


def _number(text: str, column: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RejectedCase(f"CheXmask's table has no number in {column}")
    return number
