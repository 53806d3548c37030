"""Tables of scores as files: one row a case, marked with what they were computed from."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.screen import say
from lungseg import storage
from lungseg.errors import UserError

_MARK = b"lungseg_fingerprint"
_MASKS = b"lungseg_masks"


def write_scores(path: str, frame: pd.DataFrame, mark: str, masks: str = "") -> None:
    """Write a table of scores with the fingerprint of what it was computed from.

    Args:
        path: where it goes.
        frame: a row a case.
        mark: the fingerprint.
        masks: the folder whose masks were scored, "" for those of a model.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    told = {_MARK: mark.encode(), _MASKS: masks.encode()}
    table = table.replace_schema_metadata({**table.schema.metadata, **told})
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    storage.write_bytes(path, stream.getvalue())


def mark_of(path: str, masks: str = "") -> str:
    """Fingerprint of what the table at a path was computed from, "" where there is none.

    Args:
        path: where a table goes.
        masks: as in `write_scores`.

    Raises:
        UserError: the table there is of other masks, or of a model instead of masks, or the other
            way round: it must not be replaced.
    """
    if not storage.exists(path):
        return ""
    metadata = pq.read_schema(io.BytesIO(storage.read_bytes(path))).metadata or {}
    before = metadata.get(_MASKS, b"").decode()
    if before != masks:
        raise UserError(
            f"{path} holds the scores of {before or 'a model'}: score {masks or 'the model'} into "
            "another folder with --out"
        )
    return metadata.get(_MARK, b"").decode()


def announce(label: str, frame: pd.DataFrame) -> None:
    """Say on the screen what a table comes to."""
    dice = frame["dice"]
    say(
        f"         {label}: {len(frame)} cases, mean Dice {dice.mean():.4f}, "
        f"median {dice.median():.4f}, worst {dice.min():.4f}"
    )
