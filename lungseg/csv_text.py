"""Tables as CSV text that a spreadsheet may open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a cell that spreadsheets take for a formula to be run."""


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str | int | float]]) -> str:
    """Rows with a header; lacking values are empty.

    A file's name may be a formula, "=HYPERLINK(…)": text that begins like one gets an apostrophe
    before it, which a spreadsheet does not show. Numbers stay as they are.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _harmless(value: str | int | float) -> str | int | float:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
