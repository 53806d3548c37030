"""Films that are nearly the same as another, listed as `SHARDS/duplicates.csv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lungseg.split import Listed, Place

FILE = "duplicates.csv"
COLUMNS = ("group", "case_id", "source", "patient", "split", "fold", "across")


def list_duplicates(
    groups: Sequence[Sequence[Listed]], places: Mapping[str, Place]
) -> list[dict[str, str | int]]:
    """One row a film of each group.

    `across` says what a group spans: "sources" (the sets are not independent: none is an external
    test of the other), "splits" (hints put one film into two parts: the test is spoilt), both as
    "sources splits", or "" where it does no harm.

    Args:
        groups: of `lungseg.perceptual_hash.near_duplicates`, as cases.
        places: of each case id.
    """
    rows: list[dict[str, str | int]] = []
    for number, films in enumerate(groups):
        spans = {
            "sources": len({film.source for film in films}) > 1,
            "splits": len({places[film.case_id].split for film in films}) > 1,
        }
        across = " ".join(name for name, spanned in spans.items() if spanned)
        for film in films:
            split, fold = places[film.case_id]
            values = (number, film.case_id, film.source, film.patient, split, fold, across)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def summary(rows: Sequence[Mapping[str, str | int]]) -> str:
    """One line on the groups, "" where there are none."""
    across = {row["group"]: str(row["across"]).split() for row in rows}
    if not across:
        return ""
    line = f"{len(rows)} films are nearly the same as another, in {len(across)} groups"
    told = [
        f"{count} {words}"
        for name, words in (
            ("sources", "between sources"),
            ("splits", "across training, validation and test as hinted"),
        )
        if (count := sum(name in spans for spans in across.values()))
    ]
    return f"{line}{': ' if told else ''}{', '.join(told)} ({FILE})"
