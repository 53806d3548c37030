"""Shards: Parquet files of preprocessed cases, `SHARDS/{train,val,test}/*.parquet`.

With one fold, `val` validates. With K > 1 there is no `val`: the cases in `train` carry the fold
0…K-1 that validates on them in the column `fold` (-1 in the test), and `lungseg.folds` tells which
ones a training reads.

Film and mask are uint8 tensors of the network's size, whose bytes stand in a column of fixed
length: Parquet knows no bytes but as 32-bit numbers in lists, which take five times as long to
write and to read. `as_tensors` is the way back. Beside them stand the way back to the original size
and the reference mask there, so that nothing later needs the original file.
`SHARDS/dataset.json` is written last: without it the folder is not complete.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lungseg import storage
from lungseg.case import SPLITS
from lungseg.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
INFO = "dataset.json"

_FACTS = {
    "case_id": pa.string(),
    "patient_id": pa.string(),
    "source": pa.string(),
    "split": pa.string(),
    "fold": pa.int32(),
    "sex": pa.string(),
    "age": pa.float32(),
    "finding": pa.string(),
    "view": pa.string(),
    "mask_convention": pa.string(),
    "height": pa.int32(),
    "width": pa.int32(),
    "scaled_height": pa.int32(),
    "scaled_width": pa.int32(),
    "top": pa.int32(),
    "left": pa.int32(),
    "spacing_row": pa.float32(),
    "spacing_column": pa.float32(),
    "reference_rle": pa.string(),
    "image_hash": pa.string(),
}
TENSORS = ("image", "mask")


def column_names() -> tuple[str, ...]:
    """All columns of a shard, in order."""
    return (*_FACTS, *TENSORS)


def schema(size: int) -> pa.Schema:
    """Columns of a shard whose tensors are uint8 (size, size, 1), row by row."""
    return pa.schema([*_FACTS.items(), *((name, pa.binary(size * size)) for name in TENSORS)])


def digest(row: Mapping[str, Any]) -> str:
    """16 hex digits of all that `lungseg.preprocess` made of a case."""
    text = "\n".join(f"{name}={row[name]}" for name in _FACTS)
    parts = [text.encode(), *(np.ascontiguousarray(row[name]).tobytes() for name in TENSORS)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def to_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of `lungseg.preprocess` (at least one) as an Arrow table."""
    size = rows[0]["image"].shape[0]
    columns: list[pa.Array] = [
        pa.array([row[name] for row in rows], kind) for name, kind in _FACTS.items()
    ]
    for name in TENSORS:
        content = pa.py_buffer(np.stack([row[name] for row in rows]))
        columns.append(pa.Array.from_buffers(pa.binary(size * size), len(rows), [None, content]))
    return pa.Table.from_arrays(columns, schema=schema(size))


def as_tensors(table: pa.Table) -> pa.Table:
    """A shard's table with its tensors as such, uint8 (size, size, 1); nothing is copied."""
    for name in TENSORS:
        column = table.schema.get_field_index(name)
        if column >= 0:
            chunks = [_as_tensor(chunk) for chunk in table.column(column).chunks]
            kind = _tensor_type(table.schema.field(column).type.byte_width)
            table = table.set_column(column, name, pa.chunked_array(chunks, kind))
    return table


def _as_tensor(array: pa.Array) -> pa.Array:
    length = array.type.byte_width
    count, start = len(array) * length, array.offset * length
    numbers = pa.Array.from_buffers(pa.uint8(), count, [None, array.buffers()[1]], offset=start)
    lists = pa.FixedSizeListArray.from_arrays(numbers, length)
    return pa.ExtensionArray.from_storage(_tensor_type(length), lists)


def _tensor_type(length: int) -> pa.DataType:
    size = math.isqrt(length)
    return pa.fixed_shape_tensor(pa.uint8(), (size, size, 1))


def placed(table: pa.Table, split: str, folds: np.ndarray) -> pa.Table:
    """The cases with their split and folds (integers, one a case) entered."""
    entries = {"split": [split] * table.num_rows, "fold": folds}
    for name, values in entries.items():
        column = table.schema.get_field_index(name)
        field = table.schema.field(column)
        table = table.set_column(column, field, pa.array(values, field.type))
    return table


def write_table(path: str, table: pa.Table) -> None:
    """Write one shard, whole or not at all."""
    stream = io.BytesIO()
    facts = list(_FACTS)
    pq.write_table(table, stream, compression="zstd", use_dictionary=facts, write_statistics=facts)
    storage.write_bytes(path, stream.getvalue())


def stage_table(path: str, table: pa.Table) -> None:
    """Keep cases until their split is known: Arrow's own format, ten times as fast as Parquet."""
    stream = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(stream, table.schema, options=options) as writer:
        writer.write_table(table)
    storage.write_bytes(path, stream.getvalue())


def read_staged(path: str) -> pa.Table:
    """Cases that were kept by `stage_table`."""
    return pa.ipc.open_file(pa.BufferReader(storage.read_bytes(path))).read_all()


def read_file(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One shard as an Arrow table, with tensors."""
    return as_tensors(pq.read_table(io.BytesIO(storage.read_bytes(path)), columns=columns))


def files(shards: str, split: str) -> list[str]:
    """Paths of the shards of one part, sorted."""
    return storage.list_files(storage.join(shards, split), ".parquet")


def check_clahe(info: Mapping[str, Any], clahe: float) -> None:
    """Refuse shards whose films were equalised otherwise than a network's.

    Args:
        info: content of `dataset.json`.
        clahe: clip limit that the network is trained with (`data.clahe`, `network_input.clahe_of`).

    Raises:
        UserError: the shards have another.
    """
    theirs = info["settings"]["clahe"]
    if theirs != clahe:
        raise UserError(
            f"the shards were written with data.clahe {theirs:g}, the network takes {clahe:g}: "
            f"give --set data.clahe={theirs:g} to train, or write shards with {clahe:g}"
        )


def read_table(shards: str, split: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """All cases of one part in memory.

    >>> table = read_table("RUN/shards", "test")
    >>> table[["case_id", "sex", "height", "width"]].shape
    (3, 4)
    >>> table["image"][0].shape, table["image"][0].dtype
    ((32, 32, 1), dtype('uint8'))

    Args:
        shards: folder of the shards.
        split: "train", "val", "test" or "all".
        columns: which ones; all by default.

    Returns:
        One row a case, in the order of the case ids; `image` and `mask` hold uint8 arrays
        (size, size, 1).

    Raises:
        UserError: there is no such split, or it holds no cases.
    """
    if split not in (*SPLITS, "all"):
        raise UserError(f"there is no split {split!r}: take one of {', '.join(SPLITS)} or all")
    parts = SPLITS if split == "all" else (split,)
    paths = [path for part in parts for path in files(shards, part)]
    if not paths:
        raise UserError(f"the shards in {shards} have no {split} cases")
    return read_files(paths, columns)


def read_files(paths: Sequence[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The cases of some shards, as `read_table` gives them.

    Args:
        paths: at least one shard.
        columns: which ones; all by default.
    """
    table = pa.concat_tables([read_file(path, columns) for path in paths])
    tensors = [name for name in TENSORS if name in table.column_names]
    frame = table.drop_columns(tensors).to_pandas()
    for name in tensors:
        stacked = [chunk.to_numpy_ndarray() for chunk in table.column(name).chunks]
        frame[name] = list(np.concatenate(stacked))
    return frame.sort_values("case_id", ignore_index=True) if "case_id" in frame else frame


def read_info(shards: str) -> dict[str, Any]:
    """`dataset.json` of complete shards.

    `fingerprint` stands for the cases as they are in the shards and for their split; it is the same
    wherever and in how many files they lie. `inputs` stands for the settings and files they were
    made of, each with its size and time of change (see `lungseg.stamps`): when it differs, the
    shards are out of date. `fold_counts` are the cases each fold validates on.

    Raises:
        UserError: there are none, or they are of another format.
    """
    path = storage.join(shards, INFO)
    if not storage.exists(path):
        raise UserError(
            f"{shards} holds no complete shards (no {INFO}): write them with lungseg shard"
        )
    info: dict[str, Any] = json.loads(storage.read_text(path))
    if info.get("format") != FORMAT:
        raise UserError(f"{path} has format {info.get('format')}, this version reads {FORMAT}")
    return info
