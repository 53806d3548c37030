"""Every case with its scores, to sort and filter."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lungseg.report.gather import Gathered
from lungseg.report.section import Section, Table

_MOST = 1500
_FACTS = ("patient_id", "finding", "sex", "age")


def cases(gathered: Gathered) -> Section:
    """The case table, worst first; the CSV has every case, model and training."""
    table = gathered.cases
    dice = table.pivot_table(
        index=["source", "case_id"], columns="model", values="dice", observed=True
    ).reindex(columns=gathered.models)
    distance = None
    if "hd95" in table:
        distance = table.pivot_table(
            index=["source", "case_id"], columns="model", values="hd95", observed=True
        ).reindex(columns=gathered.models)
        units = table.groupby(["source", "case_id"], observed=True)["boundary_unit"].first()
    ranked = dice.mean(axis=1).sort_values(kind="stable").index
    facts = gathered.facts
    rows = []
    for key in ranked[:_MOST]:
        known = facts.loc[key]
        row = [key[1], key[0], *(_text(known.get(name)) for name in _FACTS)]
        row.append(_size(known))
        row += [_number(value, 4) for value in dice.loc[key]]
        if distance is not None:
            row += [_number(value, 2) for value in distance.loc[key]]
            row.append(units.loc[key])
        rows.append(row)
    titles = list(gathered.titles.values())
    header = ["Case", "Source", "Patient", "Finding", "Sex", "Age", "Size [px]"]
    header += [f"Dice\n{title}" for title in titles]
    if distance is not None:
        header += [*(f"HD95\n{title}" for title in titles), "Unit"]
    left_out = len(ranked) - len(rows)
    texts = [f"The {len(rows)} worst cases; the other {left_out} stand in cases.csv."]
    whole = gathered.rows.drop(columns=["file"])
    caption = "Cases, worst first; means over the trainings of a model"
    found = Table("cases", caption, whole, header, rows, sortable=True)
    return Section("cases", "All cases", texts if left_out else (), [found])


def _text(value: Any) -> str:
    if pd.isna(value) or value == "":
        return "–"
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _size(known: pd.Series) -> str:
    sides = [_text(known.get(name)) for name in ("width", "height")]
    return "–" if "–" in sides else "×".join(sides)


def _number(value: float, digits: int) -> str:
    return "–" if pd.isna(value) else f"{value:.{digits}f}"
