"""A list of cases: `manifest.csv` (or .parquet) in a folder, or any CSV or Parquet file.

Columns `image` and `mask` (several masks apart by ";", joined by OR) hold paths relative to the
list. Optional ones: case_id, patient_id, source, split_hint (train, val, test), sex, age (years),
finding, view, mask_convention, spacing_row and spacing_column (mm). All others are ignored.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from typing import Any

from lungseg import storage
from lungseg.case import CONVENTIONS, SPLITS, Case
from lungseg.datasets import facts
from lungseg.datasets.found import Found
from lungseg.datasets.names import base, stem
from lungseg.errors import UserError
from lungseg.images.radiograph import is_spacing

_NAMES = ("manifest.csv", "manifest.parquet")
_MOST_BYTES = 1_000_000_000
_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet")


def recognise(folder: str) -> bool:
    """Whether it is a CSV or Parquet file, or a folder with a manifest."""
    return folder.lower().endswith(_SUFFIXES) or _manifest(folder) is not None


def find(folder: str) -> Found:
    """The cases of the list; `source` is the folder's name where no column tells it.

    Raises:
        UserError: the list is missing, cannot be read, lacks a column, or holds an unknown value.
    """
    path = folder if folder.lower().endswith(_SUFFIXES) else _manifest(folder)
    if path is None:
        raise UserError(f"{folder} holds no {' or '.join(_NAMES)}")
    rows = read_rows(path)
    if not rows:
        raise UserError(f"{path} lists no case")
    missing = [column for column in ("image", "mask") if column not in rows[0]]
    if missing:
        raise UserError(
            f"{path} lacks the column {' and '.join(missing)}; it has {', '.join(rows[0])}"
        )
    root = path.rstrip("/").rsplit("/", 1)[0] if "/" in path else "."
    cases: list[Case] = []
    unmatched: list[tuple[str, str]] = []
    for number, row in enumerate(rows, start=2):
        if row["image"] and row["mask"]:
            cases.append(_case(row, root, f"{path} line {number}"))
        else:
            lacking = "mask" if row["image"] else "image"
            unmatched.append((row["image"] or f"{path} line {number}", f"no {lacking} is listed"))
    return Found(tuple(cases), tuple(unmatched))


def read_rows(path: str) -> list[dict[str, str]]:
    """Rows of a CSV or Parquet file, all values as stripped text, column names in lower case.

    Raises:
        UserError: the file cannot be read as what its name says.
    """
    try:
        data = storage.read_bytes(path)
        if path.lower().endswith(".parquet"):
            import pyarrow.parquet as pq

            rows: list[dict[Any, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
        else:
            text = _unpacked(data) if path.lower().endswith(".gz") else data
            rows = _parse_csv(text.decode("utf-8-sig"))
    except (OSError, ValueError, EOFError, NotImplementedError, csv.Error, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {_line(error)}") from error
    return [
        {str(name).strip().lower(): _text(value) for name, value in row.items()} for row in rows
    ]


def _unpacked(data: bytes) -> bytes:
    with gzip.open(io.BytesIO(data)) as stream:
        text = stream.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError(f"it unpacks to more than {_MOST_BYTES // 1_000_000} MB")
    return text


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _parse_csv(text: str) -> list[dict[Any, Any]]:
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def _manifest(folder: str) -> str | None:
    files = {base(path).lower(): path for path in storage.list_files(folder)}
    return next((files[name] for name in _NAMES if name in files), None)


def _case(row: dict[str, str], root: str, where: str) -> Case:
    split_hint = row.get("split_hint", "")
    convention = row.get("mask_convention", "") or "unknown"
    _check(split_hint, ("", *SPLITS), "split_hint", where)
    _check(convention, CONVENTIONS, "mask_convention", where)
    return Case(
        case_id=row.get("case_id", "") or stem(row["image"]),
        image=_resolve(row["image"], root),
        masks=tuple(_resolve(mask.strip(), root) for mask in row["mask"].split(";")),
        patient_id=row.get("patient_id", ""),
        source=row.get("source", "") or base(root),
        split_hint=split_hint,
        sex=facts.sex(row.get("sex", "")),
        age=facts.age(row.get("age", "")),
        finding=row.get("finding", ""),
        view=row.get("view", ""),
        mask_convention=convention,
        spacing_mm=_spacing(row, where),
    )


def _check(value: str, allowed: tuple[str, ...], column: str, where: str) -> None:
    if value not in allowed:
        choices = ", ".join(choice or "(empty)" for choice in allowed)
        raise UserError(f"{where}: {column} is {value!r}, allowed are {choices}")


def _spacing(row: dict[str, str], where: str) -> tuple[float, float] | None:
    texts = row.get("spacing_row", ""), row.get("spacing_column", "")
    if not all(texts):
        return None
    try:
        spacing = float(texts[0]), float(texts[1])
    except ValueError:
        spacing = (0.0, 0.0)
    if not is_spacing(spacing):
        raise UserError(f"{where}: spacing_row and spacing_column must be mm above 0, not {texts}")
    return spacing


def _resolve(path: str, root: str) -> str:
    if path.startswith("/") or storage.is_url(path):
        return path
    return storage.join(root, path)
