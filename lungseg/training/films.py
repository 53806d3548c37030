"""Films and masks of a training that all stay in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lungseg import storage
from lungseg.errors import UserError
from lungseg.shards import TENSORS, as_tensors

Films = tuple[Sequence[np.ndarray], Sequence[np.ndarray]]
"""Images and masks of all cases, uint8 (S, S, 1) each, masks of 0 and 1."""


def read_films(shard: str, folds: Sequence[int] = ()) -> pa.Table:
    """Images and masks of one shard, as bytes of a fixed length.

    Args:
        shard: path of the file.
        folds: those whose cases are wanted; all cases by default.

    Raises:
        UserError: the file is damaged.
    """
    chosen = pc.field("fold").isin(list(folds)) if folds else None
    stream = io.BytesIO(storage.read_bytes(shard))
    try:
        return pq.read_table(stream, columns=[*TENSORS], filters=chosen)
    except pa.ArrowInvalid as error:
        raise UserError(
            f"{shard} is damaged ({str(error).splitlines()[0]}): delete the folder of the shards "
            "and write it again with lungseg shard"
        ) from error


def of_tables(tables: Sequence[pa.Table]) -> Films:
    """What `read_films` gave of all shards, case by case; nothing is copied."""
    image, mask = (
        [
            case
            for table in tables
            for chunk in as_tensors(table).column(name).chunks
            for case in chunk.to_numpy_ndarray()
        ]
        for name in TENSORS
    )
    return image, mask
