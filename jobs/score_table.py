"""Tables of scores as files: one row a case, marked with what they were computed from."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.screen import say
from lungseg import storage

_MARK = b"lungseg_fingerprint"


def write_scores(path: str, frame: pd.DataFrame, mark: str) -> None:
    """Write a table of scores with the fingerprint of what it was computed from."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, _MARK: mark.encode()})
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    storage.write_bytes(path, stream.getvalue())


def mark_of(path: str) -> str:
    """Fingerprint of what a table was computed from, "" where it tells none."""
    metadata = pq.read_schema(io.BytesIO(storage.read_bytes(path))).metadata or {}
    return metadata.get(_MARK, b"").decode()


def announce(label: str, frame: pd.DataFrame) -> None:
    """Say on the screen what a table comes to."""
    dice = frame["dice"]
    say(
        f"         {label}: {len(frame)} cases, mean Dice {dice.mean():.4f}, "
        f"median {dice.median():.4f}, worst {dice.min():.4f}"
    )
