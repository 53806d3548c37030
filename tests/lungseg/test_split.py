from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungseg.errors import UserError
from lungseg.split import split_cases


@dataclass(frozen=True)
class Film:
    case_id: str
    patient: str
    source: str = "A"
    split_hint: str = ""


def split(films: list[Film], *, hints: bool = True, seed: int = 0) -> dict[str, str]:
    return split_cases(films, honour_hints=hints, val_fraction=0.2, test_fraction=0.2, seed=seed)


def test_hints_are_honoured() -> None:
    films = [
        Film(f"c{i}", f"p{i}", split_hint=part)
        for i, part in enumerate(["train", "train", "val", "test"])
    ]
    assert split(films) == {"c0": "train", "c1": "train", "c2": "val", "c3": "test"}


def test_hints_are_ignored_when_a_split_is_drawn() -> None:
    films = [Film(f"c{i}", f"p{i}", split_hint="train") for i in range(10)]
    assert sorted(split(films, hints=False).values()).count("train") == 6


def test_hints_that_tear_a_patient_apart_are_refused() -> None:
    films = [Film("a", "p", split_hint="train"), Film("b", "p", split_hint="test")]
    with pytest.raises(UserError, match=r"patient p into train and test.*data\.split=drawn"):
        split(films)


def test_one_patient_cannot_be_split() -> None:
    with pytest.raises(UserError, match="at least 3 patients"):
        split([Film(f"c{i}", "only") for i in range(20)])


@given(
    st.lists(st.integers(0, 30), min_size=40, max_size=80),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_no_patient_is_in_two_parts_and_order_does_not_matter(
    patients: list[int], seed: int, order: object
) -> None:
    films = [Film(f"c{i}", f"p{patient}") for i, patient in enumerate(patients)]
    if len(set(patients)) < 3:
        return
    first = split(films, seed=seed)
    order.shuffle(films)  # type: ignore[attr-defined]
    assert split(films, seed=seed) == first
    parts: dict[str, set[str]] = {}
    for film in films:
        parts.setdefault(film.patient, set()).add(first[film.case_id])
    assert all(len(found) == 1 for found in parts.values())


def test_every_source_is_divided() -> None:
    films = [Film(f"{s}{i}", f"{s}{i}", source=s) for s in "AB" for i in range(20)]
    parts = split(films)
    for source in "AB":
        counts = [parts[f"{source}{i}"] for i in range(20)]
        assert [counts.count(part) for part in ("train", "val", "test")] == [12, 4, 4]


def test_patients_who_share_a_film_stay_together() -> None:
    films = [Film(f"c{i}", f"p{i}") for i in range(30)]
    alike = [[f"c{i}", f"c{i + 1}", f"c{i + 10}"] for i in range(0, 10, 2)]
    parts = split_cases(
        films, honour_hints=True, val_fraction=0.2, test_fraction=0.2, seed=1, alike=alike
    )
    for group in alike:
        assert len({parts[name] for name in group}) == 1
    assert set(parts.values()) == {"train", "val", "test"}


def test_a_film_shared_across_hints_keeps_its_hints() -> None:
    films = [Film(f"c{i}", f"p{i}", split_hint=h) for i, h in enumerate(["train", "val", "test"])]
    parts = split_cases(
        films, honour_hints=True, val_fraction=0.2, test_fraction=0.2, seed=1, alike=[["c0", "c2"]]
    )
    assert parts == {"c0": "train", "c1": "val", "c2": "test"}
