"""Films of single cases out of the shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lungseg import shards
from lungseg.case import SPLITS
from lungseg.letterbox import Geometry
from lungseg.report.run import Run

_COLUMNS = (
    "case_id", "source", "image", "height", "width", "scaled_height", "scaled_width", "top", "left",
    "reference_rle",
)  # fmt: skip


@dataclass(frozen=True)
class Film:
    """What is shown of a case."""

    pixels: np.ndarray
    """uint8 (h, w): the letterbox without its padding."""
    reference_rle: str
    height: int
    width: int
    """Original size in px."""


def read_films(runs: Sequence[Run], keys: set[tuple[str, str]]) -> dict[tuple[str, str], Film]:
    """Find cases in the shards of the runs.

    Args:
        runs: in whose shards to look.
        keys: (source, case_id) of the cases.
    """
    ids = pa.array(sorted({case_id for _, case_id in keys}), pa.string())
    films: dict[tuple[str, str], Film] = {}
    folders = dict.fromkeys(run.shards for run in runs if run.shards)
    files = (path for folder in folders for split in SPLITS for path in shards.files(folder, split))
    for path in files:
        if films.keys() >= keys:
            break
        named = shards.read_file(path, ["case_id"]).column("case_id")
        wanted = pc.is_in(named, value_set=ids)
        if pc.any(wanted).as_py():
            table = shards.read_file(path, list(_COLUMNS)).filter(wanted)
            images = table.column("image").combine_chunks().to_numpy_ndarray()
            for row, image in zip(table.drop_columns("image").to_pylist(), images, strict=True):
                if (row["source"], row["case_id"]) in keys:
                    films.setdefault((row["source"], row["case_id"]), _film(row, image[..., 0]))
    return films


def _film(row: dict[str, Any], square: np.ndarray) -> Film:
    sizes = ("height", "width", "scaled_height", "scaled_width", "top", "left")
    geometry = Geometry(size=square.shape[0], **{name: row[name] for name in sizes})
    pixels = np.ascontiguousarray(square[geometry.content])
    return Film(pixels, row["reference_rle"], row["height"], row["width"])
