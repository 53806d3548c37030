from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungseg.errors import UserError
from lungseg.split import TEST_FOLD, Place, split_cases


@dataclass(frozen=True)
class Film:
    case_id: str
    patient: str
    source: str = "A"
    split_hint: str = ""
    finding: str = ""


def places(
    films: list[Film],
    *,
    hints: bool = True,
    seed: int = 0,
    folds: int = 1,
    alike: Sequence[Sequence[str]] = (),
) -> dict[str, Place]:
    return split_cases(
        films,
        honour_hints=hints,
        val_fraction=0.2,
        test_fraction=0.2,
        seed=seed,
        folds=folds,
        alike=alike,
    )


def split(
    films: list[Film],
    *,
    hints: bool = True,
    seed: int = 0,
    alike: Sequence[Sequence[str]] = (),
) -> dict[str, str]:
    found = places(films, hints=hints, seed=seed, alike=alike)
    assert all(
        place.fold == (TEST_FOLD if place.split == "test" else 0) for place in found.values()
    )
    return {name: place.split for name, place in found.items()}


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
    parts = split(films, seed=1, alike=alike)
    for group in alike:
        assert len({parts[name] for name in group}) == 1
    assert set(parts.values()) == {"train", "val", "test"}


def test_a_film_shared_across_hints_keeps_its_hints() -> None:
    films = [Film(f"c{i}", f"p{i}", split_hint=h) for i, h in enumerate(["train", "val", "test"])]
    parts = split(films, alike=[["c0", "c2"]])
    assert parts == {"c0": "train", "c1": "val", "c2": "test"}


def test_a_patient_without_hint_follows_one_who_shares_a_film() -> None:
    hints = ["train", "val", "test", "", "", ""]
    films = [Film(f"c{i}", f"p{i}", split_hint=hint) for i, hint in enumerate(hints)]
    parts = split(films, alike=[["c1", "c3"], ["c2", "c4", "c5"]])
    assert [parts[f"c{i}"] for i in range(6)] == ["train", "val", "test", "val", "test", "test"]
    torn = split(films, alike=[["c0", "c2", "c3"]])
    assert (torn["c0"], torn["c2"], torn["c3"]) == ("train", "test", "train")


def test_findings_are_balanced_over_the_parts() -> None:
    films = [Film(f"{f}{i}", f"{f}{i}", finding=f) for f in "xy" for i in range(20)]
    parts = split(films)
    for finding in "xy":
        counts = Counter(parts[f"{finding}{i}"] for i in range(20))
        assert counts == {"train": 12, "val": 4, "test": 4}


def test_folds_by_hand() -> None:
    # Four patients of two films, one of four and a hinted one: 4 + 2 against 2 + 2 + 2.
    films = [Film(f"c{i}", f"p{i // 2}", split_hint="train") for i in range(8)]
    films += [Film(f"d{i}", "q", split_hint="train") for i in range(4)]
    films += [Film("t", "r", split_hint="test")]
    found = places(films, folds=2)
    assert found["t"] == ("test", TEST_FOLD)
    assert {found[f"d{i}"] for i in range(4)} == {Place("train", 0)}
    assert Counter(found[f"c{i}"].fold for i in range(0, 8, 2)) == {0: 1, 1: 3}
    assert all(found[f"c{i}"] == found[f"c{i + 1}"] for i in range(0, 8, 2))


def test_hints_train_and_val_mean_the_same_to_folds() -> None:
    hints = ["train"] * 6 + ["val"] * 3 + ["test"] * 2
    films = [Film(f"c{i}", f"p{i}", split_hint=hint) for i, hint in enumerate(hints)]
    found = places(films, folds=3)
    assert Counter(place.fold for place in found.values()) == {0: 3, 1: 3, 2: 3, TEST_FOLD: 2}
    assert [found[f"c{i}"].split for i in (9, 10)] == ["test", "test"]
    both = [Film("a", "p", split_hint="train"), Film("b", "p", split_hint="val")]
    assert places(films + both, folds=3)["a"] == places(films + both, folds=3)["b"]


def test_the_test_does_not_depend_on_the_number_of_folds() -> None:
    films = [Film(f"c{i}", f"p{i // 2}", finding=f"{i % 3}") for i in range(60)]
    tests = [
        {name for name, place in places(films, folds=folds).items() if place.split == "test"}
        for folds in (1, 2, 5)
    ]
    assert tests[0] == tests[1] == tests[2]
    assert len(tests[0]) == 12


def test_films_alike_are_in_one_fold() -> None:
    films = [Film(f"c{i}", f"p{i}") for i in range(40)]
    alike = [[f"c{i}", f"c{i + 1}", f"c{i + 20}"] for i in range(0, 20, 2)]
    found = places(films, folds=4, alike=alike)
    assert all(len({found[name] for name in group}) == 1 for group in alike)


@pytest.mark.parametrize("patients", [1, 3, 5])
def test_too_few_patients_for_the_folds(patients: int) -> None:
    films = [Film(f"c{i}", f"p{i % patients}") for i in range(20)]
    with pytest.raises(
        UserError, match=rf"20 usable cases of {patients} patients .* 5 folds .* at least 6"
    ):
        places(films, folds=5)
    hinted = [replace(film, split_hint="train") for film in films]
    with pytest.raises(UserError, match="too few for 5 folds"):
        places(hinted, folds=5)


def test_just_enough_patients_for_the_folds() -> None:
    found = places([Film(f"c{i}", f"p{i % 6}") for i in range(20)], folds=5)
    assert {place.fold for place in found.values()} == {TEST_FOLD, 0, 1, 2, 3, 4}


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from("AB"), st.sampled_from("xy"), st.booleans()),
        min_size=1,
        max_size=80,
    ),
    st.integers(2, 5),
    st.integers(0, 5),
    st.lists(st.lists(st.integers(0, 79), min_size=2, max_size=3), max_size=4),
    st.randoms(use_true_random=False),
)
def test_folds_of_any_data(
    drawn: list[tuple[int, str, str, bool]],
    folds: int,
    seed: int,
    links: list[list[int]],
    order: object,
) -> None:
    hint_of = {patient: "test" * hinted for patient, _, _, hinted in drawn}
    films = [
        Film(f"c{i}", f"p{patient}", source, hint_of[patient], finding)
        for i, (patient, source, finding, _) in enumerate(drawn)
    ]
    alike = [[f"c{i % len(films)}" for i in link] for link in links]
    try:
        first = places(films, seed=seed, folds=folds, alike=alike)
    except UserError:
        assert len({film.patient for film in films}) <= folds or alike or any(hint_of.values())
        return
    order.shuffle(films)  # type: ignore[attr-defined]
    assert places(films, seed=seed, folds=folds, alike=alike) == first
    of_patient: dict[str, set[Place]] = {}
    for film in films:
        of_patient.setdefault(film.patient, set()).add(first[film.case_id])
        assert film.split_hint != "test" or first[film.case_id].split == "test"
    assert all(len(found) == 1 for found in of_patient.values())
    sizes = Counter(place.fold for place in first.values())
    assert set(sizes) >= {TEST_FOLD, *range(folds)}
    for link in alike:
        assert len({first[name].fold for name in link} - {TEST_FOLD}) <= 1
