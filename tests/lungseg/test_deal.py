from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lungseg.deal import Group, deal

FOLDS = dict.fromkeys(range(3), 1 / 3)


def test_by_hand() -> None:
    # Order: p3 (3 films), then p2, then the singles. 3 → fold 0, 2 → 1, 1 → 2, 1 → 2, 1 → 1.
    films = {"a": 1, "b": 1, "c": 1, "p2": 2, "p3": 3}
    parts = deal([Group(name, count) for name, count in films.items()], FOLDS, seed=0)
    assert (parts["p3"], parts["p2"]) == (0, 1)
    sizes = Counter[int]()
    for name, part in parts.items():
        sizes[part] += films[name]
    assert sizes == {0: 3, 1: 3, 2: 2}


def test_shares_hold_for_every_source_and_finding() -> None:
    kinds = [("A", "x", 20), ("A", "y", 10), ("B", "x", 40), ("B", "z", 3)]
    groups = [Group(f"{s}{f}{i}", 1, s, f) for s, f, count in kinds for i in range(count)]
    parts = deal(groups, {"train": 0.7, "val": 0.15, "test": 0.15}, seed=4)
    for source, finding, count in kinds:
        taken = Counter(parts[f"{source}{finding}{i}"] for i in range(count))
        for part, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
            assert abs(taken[part] - count * share) <= 1.5
    assert Counter(parts.values()) == {"train": 51, "val": 11, "test": 11}


def test_every_part_gets_what_it_needs() -> None:
    groups = [Group(f"p{i}", 10) for i in range(3)]
    shares = {"train": 0.9, "val": 0.05, "test": 0.05}
    needs = dict.fromkeys(shares, 1)
    assert sorted(deal(groups, shares, seed=0, needs=needs).values()) == ["test", "train", "val"]
    assert set(deal(groups, shares, seed=0).values()) == {"train"}


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from("AB"), st.sampled_from("xyz")), max_size=60
    ),
    st.integers(1, 7),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_folds_are_equal_but_for_one_group_whatever_the_order(
    drawn: list[tuple[int, str, str]], folds: int, seed: int, order: object
) -> None:
    groups = [Group(f"p{i}", *kind) for i, kind in enumerate(drawn)]
    shares = dict.fromkeys(range(folds), 1 / folds)
    parts = deal(groups, shares, seed=seed)
    order.shuffle(groups)  # type: ignore[attr-defined]
    assert deal(groups, shares, seed=seed) == parts
    sizes = Counter(dict.fromkeys(range(folds), 0))
    for group in groups:
        sizes[parts[group.name]] += group.films
    largest = max((group.films for group in groups), default=0)
    assert max(sizes.values()) - min(sizes.values()) <= largest


@given(st.dictionaries(st.sampled_from("uvwxyz"), st.integers(1, 20)), st.integers(1, 5))
def test_single_films_of_a_finding_differ_by_one_between_folds(
    findings: dict[str, int], folds: int
) -> None:
    groups = [Group(f"{f}{i}", 1, "A", f) for f, count in findings.items() for i in range(count)]
    parts = deal(groups, dict.fromkeys(range(folds), 1 / folds), seed=1)
    for finding, count in findings.items():
        taken = Counter(parts[f"{finding}{i}"] for i in range(count))
        counts = [taken[fold] for fold in range(folds)]
        assert max(counts) - min(counts) <= 1
