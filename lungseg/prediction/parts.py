"""The table of predictions: Parquet files, one a numbered chunk of the inputs.

A part holds a row for each image that could be used and, in the file's metadata, the images that
could not, with their reasons. So one atomic write says all there is to say about a chunk.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lungseg import storage
from lungseg.csv_text import to_csv

SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("path", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("spacing_row", pa.float64()),
        ("spacing_column", pa.float64()),
        ("left_rle", pa.string()),
        ("right_rle", pa.string()),
        ("area_left", pa.int64()),
        ("area_right", pa.int64()),
        ("area_fraction_left", pa.float64()),
        ("area_fraction_right", pa.float64()),
        ("parts", pa.int32()),
        ("probability_inside", pa.float64()),
        ("probability_border", pa.float64()),
        ("removed", pa.int64()),
        ("filled", pa.int64()),
        ("agreement", pa.float64()),
        ("flags", pa.list_(pa.string())),
        ("model", pa.string()),
    ]
)
"""Sizes in px, spacing in mm (NaN where unknown), masks as run lengths (see `lungseg.rle`), areas,
`removed` and `filled` (by post-processing) in px, probabilities and fractions 0…1."""

FILM_FOLDERS = (MASKS, OVERLAYS, SEGMENTATIONS) = ("masks", "overlays", "seg")
"""Folders beside the parts with a file for each film, where they are asked for."""

_REJECTED = b"lungseg_rejected"
_CHEXMASK = (
    "image_id",
    "Dice RCA (Mean)",
    "Dice RCA (Max)",
    "Landmarks",
    "Left Lung",
    "Right Lung",
    "Heart",
    "Height",
    "Width",
)


def part_path(out: str, chunk: int) -> str:
    """File of a chunk."""
    return storage.join(out, f"part-{chunk:06d}.parquet")


def write_part(
    path: str, rows: Sequence[dict[str, Any]], rejected: Sequence[dict[str, str]]
) -> None:
    """Write a chunk, whole or not at all.

    Args:
        path: file or URL.
        rows: of `SCHEMA`.
        rejected: image_id, path and reason.
    """
    schema = SCHEMA.with_metadata({_REJECTED: json.dumps(list(rejected))})
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink, compression="zstd")
    storage.write_bytes(path, sink.getvalue())


def read_part(path: str) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Rows and rejected images of a part."""
    table = pq.read_table(io.BytesIO(storage.read_bytes(path)))
    return table.to_pandas(), json.loads(table.schema.metadata[_REJECTED])


def read_flags(path: str) -> tuple[list[list[str]], list[dict[str, str]]]:
    """Flags of each row, and rejected images, of a part; its masks are not read."""
    table = pq.read_table(io.BytesIO(storage.read_bytes(path)), columns=["flags"])
    return table["flags"].to_pylist(), json.loads(table.schema.metadata[_REJECTED])


def list_parts(out: str) -> list[str]:
    """Parts that are there, in order."""
    return storage.list_files(out, ".parquet")


def write_rejected(path: str, rejected: Iterable[dict[str, str]]) -> None:
    """Write `rejected.csv`."""
    storage.write_text(path, to_csv(("image_id", "path", "reason"), rejected))


def write_chexmask(folder: str, chunk: int, rows: Sequence[dict[str, Any]]) -> None:
    """Write a chunk as a table of CheXmask's columns, whose run lengths are of one convention.

    What CheXmask has beyond the lungs (its quality estimate, landmarks, the heart) stays empty.
    `lungseg.datasets.chexmask` reads the folder.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _CHEXMASK, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                "image_id": row["image_id"],
                "Left Lung": row["left_rle"],
                "Right Lung": row["right_rle"],
                "Height": row["height"],
                "Width": row["width"],
            }
        )
    storage.write_text(storage.join(folder, f"part-{chunk:06d}.csv"), text.getvalue())
