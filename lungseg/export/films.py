"""Films with reference masks, on which an exported network is compared with what it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lungseg import phantoms, rle, shards
from lungseg.errors import UserError
from lungseg.letterbox import Geometry
from lungseg.network_input import clahe_of, network_input

_DRAWN_SIZE = 320
_GEOMETRY = ("height", "width", "scaled_height", "scaled_width", "top", "left")


@dataclass(frozen=True)
class Films:
    """N films as the network sees them, and the way back."""

    squares: np.ndarray
    """uint8 (N, size, size, 1)."""
    geometries: list[Geometry]
    references: list[np.ndarray]
    """bool (H, W), at original size."""
    source: str
    """What they are, for people."""


def drawn(first: int, count: int, info: Mapping[str, Any]) -> Films:
    """Phantoms, for which no data is needed.

    Args:
        first: number of the first one.
        count: how many.
        info: `segmenter.json`.
    """
    size, clahe = int(info["size"]), clahe_of(info)
    films = [
        phantoms.draw(index, seed=0, size=_DRAWN_SIZE) for index in range(first, first + count)
    ]
    seen = [network_input(film.image, size, clahe) for film in films]
    return Films(
        squares=np.stack([square for square, _ in seen])[..., None],
        geometries=[geometry for _, geometry in seen],
        references=[film.mask for film in films],
        source=f"{count} phantoms",
    )


def of_shards(path: str, split: str, count: int, info: Mapping[str, Any]) -> Films:
    """The first cases of a split by their ids.

    Args:
        path: folder of the shards.
        split: "train", "val" or "test".
        count: at most.
        info: `segmenter.json`.

    Raises:
        UserError: the shards are of another size or contrast, or the split is empty.
    """
    facts, size = shards.read_info(path), int(info["size"])
    if facts["size"] != size:
        raise UserError(
            f"the model takes {size} px, the shards in {path} are of {facts['size']} px"
        )
    shards.check_clahe(facts, clahe_of(info))
    if not facts["counts"][split]:
        raise UserError(f"the shards in {path} have no {split} cases")
    first = _first(path, split, count)
    geometries = [
        Geometry(size=size, **{name: int(row[name]) for name in _GEOMETRY})
        for _, row in first.iterrows()
    ]
    return Films(
        squares=np.stack(list(first["image"])),
        geometries=geometries,
        references=[
            rle.decode(reference, one.height, one.width)
            for reference, one in zip(first["reference_rle"], geometries, strict=True)
        ],
        source=f"{len(first)} {split} cases",
    )


def _first(path: str, split: str, count: int) -> pd.DataFrame:
    """The first cases; of a large set, the other films are not read."""
    cases = [
        (case, file)
        for file in shards.files(path, split)
        for case in shards.read_file(file, ["case_id"])["case_id"].to_pylist()
    ]
    paths = sorted({file for _, file in sorted(cases)[:count]})
    table = shards.read_files(paths, ["case_id", *_GEOMETRY, "reference_rle", "image"])
    return table.head(count)
