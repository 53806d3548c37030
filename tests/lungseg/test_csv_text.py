"""CSV files that a spreadsheet may open."""

from __future__ import annotations

import csv
import io

import pytest

from lungseg.csv_text import to_csv


def written(value: str | float) -> str:
    text = to_csv(("name", "other"), [{"name": value, "other": "x"}])
    return next(csv.DictReader(io.StringIO(text)))["name"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("a","b")'])
def test_text_that_begins_like_a_formula_is_none(text: str) -> None:
    assert written(text) == f"'{text}"


@pytest.mark.parametrize("value", ["/data/=a.png", "a-b", "", "'", "an, empty", -1, 0.5])
def test_all_else_stays_as_it_is(value: str | float) -> None:
    assert written(value) == str(value)
