"""The record of a training, one row an epoch, `history.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from lungseg import storage

COLUMNS = (
    "epoch",
    "loss",
    "dice",
    "val_loss",
    "val_dice",
    "learning_rate",
    "seconds",
    "images_per_second",
    "memory_mb",
)

Row = dict[str, Any]


def write_history(path: str, rows: Sequence[Row]) -> None:
    """Write `history.csv`; epochs count from 1, Dice and loss are in 0…1, memory is what
    rank 0 holds after the epoch [MiB]."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _short(row[name]) for name in COLUMNS} for row in rows)
    storage.write_text(path, text.getvalue())


def read_history(path: str) -> list[Row]:
    """The rows of `history.csv`, epoch as int and the rest as float; none where no file is."""
    if not storage.exists(path):
        return []
    rows = csv.DictReader(io.StringIO(storage.read_text(path)))
    return [
        {name: int(row[name]) if name == "epoch" else float(row[name]) for name in COLUMNS}
        for row in rows
    ]


def _short(value: Any) -> Any:
    return f"{value:.8g}" if isinstance(value, float) else value
