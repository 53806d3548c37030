from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from lungseg.csv_text import to_csv
from lungseg.duplicates import COLUMNS, list_duplicates, summary
from lungseg.split import Place


@dataclass(frozen=True)
class Film:
    case_id: str
    source: str
    patient: str = "p"
    finding: str = ""
    split_hint: str = ""


PLACES = {
    "a": Place("train", 0),
    "b": Place("train", 0),
    "c": Place("test", -1),
    "d": Place("val", 0),
}
A, B, C, D = (Film(name, source) for name, source in zip("abcd", "XYXX", strict=True))


def test_what_a_group_spans() -> None:
    rows = list_duplicates([[A, B], [C, D], [A, A], [B, C]], PLACES)
    spans = {row["group"]: row["across"] for row in rows}
    assert spans == {0: "sources", 1: "splits", 2: "", 3: "sources splits"}
    assert rows[2] == {
        "group": 1,
        "case_id": "c",
        "source": "X",
        "patient": "p",
        "split": "test",
        "fold": -1,
        "across": "splits",
    }
    assert summary(rows) == (
        "8 films are nearly the same as another, in 4 groups: 2 between sources, "
        "2 across training, validation and test as hinted (duplicates.csv)"
    )


def test_groups_that_do_no_harm_and_none_at_all() -> None:
    assert summary(list_duplicates([[A, A]], PLACES)) == (
        "2 films are nearly the same as another, in 1 groups (duplicates.csv)"
    )
    assert summary([]) == ""
    assert to_csv(COLUMNS, []) == ",".join(COLUMNS) + "\n"


def test_csv_is_read_back() -> None:
    rows = list_duplicates([[A, Film("b", 'an "odd", source')]], PLACES)
    read = list(csv.DictReader(io.StringIO(to_csv(COLUMNS, rows))))
    assert read == [{name: str(value) for name, value in row.items()} for row in rows]
