"""Divide the cases into training, validation and test so that no patient is in two of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from lungseg.case import SPLITS
from lungseg.deal import Group, deal
from lungseg.errors import UserError

TEST_FOLD = -1
"""Fold of the test cases, which no fold trains or validates on."""


class Listed(Protocol):
    """What the split needs to know of a case."""

    @property
    def case_id(self) -> str: ...
    @property
    def patient(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def finding(self) -> str: ...
    @property
    def split_hint(self) -> str: ...


class Place(NamedTuple):
    """Where a case belongs."""

    split: str
    """"train", "val" or "test"; with several folds there is no "val"."""
    fold: int
    """The fold that validates on the case; 0 where there is one fold, -1 in the test."""


def split_cases(
    cases: Sequence[Listed],
    *,
    honour_hints: bool,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    folds: int = 1,
    alike: Sequence[Sequence[str]] = (),
) -> dict[str, Place]:
    """Where each case belongs.

    Hints are honoured case by case; what has none is drawn by patient, balanced over sources and
    findings, in an order that depends on the seed and the patients' names alone: the same data give
    the same split on any cluster. Patients who share a film (`alike`) are drawn together, for they
    are one. With several folds the hints "train" and "val" mean the same, and all that is not test
    is dealt into the folds; the test is that of one fold.

    Args:
        cases: all that can be used.
        honour_hints: False draws for all of them.
        val_fraction: part of the films for the validation, as near as patients allow.
        test_fraction: the same for the test.
        seed: of the drawing.
        folds: of the cross-validation.
        alike: groups of case ids whose films are nearly the same.

    Raises:
        UserError: hints put one patient into two parts, or there are too few patients.
    """
    group_of = _group_patients(cases, alike)
    split_of = _hinted(cases, group_of, folds) if honour_hints else {}
    undecided = [case for case in cases if case.patient not in split_of]
    drawn = deal(
        _groups(undecided, group_of),
        {"test": test_fraction, "rest": 1 - test_fraction},
        seed=seed,
        needs=_lacking(split_of, folds),
    )
    rest = [case for case in undecided if drawn[group_of[case.patient]] == "rest"]
    untested = {case.patient for case in rest}
    split_of |= {case.patient: "test" for case in undecided if case.patient not in untested}
    if folds > 1:
        return _fold(cases, split_of, group_of, folds=folds, seed=seed)
    val = val_fraction / (1 - test_fraction)
    part_of = deal(
        _groups(rest, group_of),
        {"train": 1 - val, "val": val},
        seed=seed,
        needs={part: part not in split_of.values() for part in ("train", "val")},
    )
    split_of |= {patient: part_of[group_of[patient]] for patient in untested}
    _check(cases, split_of)
    fold_of = {"train": 0, "val": 0, "test": TEST_FOLD}
    return {
        case.case_id: Place(split_of[case.patient], fold_of[split_of[case.patient]])
        for case in cases
    }


def _lacking(split_of: Mapping[str, str], folds: int) -> dict[str, int]:
    """How many more groups of patients the test and the rest need at least."""
    there = Counter(split_of.values())
    if folds == 1:
        rest = (not there["train"]) + (not there["val"])
    else:
        rest = max(0, folds - there["train"])
    return {"test": int(not there["test"]), "rest": rest}


def _fold(
    cases: Sequence[Listed],
    split_of: Mapping[str, str],
    group_of: Mapping[str, str],
    *,
    folds: int,
    seed: int,
) -> dict[str, Place]:
    """Deal all that is not test into equal folds."""
    pool = [case for case in cases if split_of.get(case.patient) != "test"]
    groups = _groups(pool, group_of)
    if len(groups) < folds or len(pool) == len(cases):
        patients = len({case.patient for case in cases})
        raise UserError(
            f"{len(cases)} usable cases of {patients} patients are too few for {folds} folds and a "
            f"test: they need at least {folds + 1} patients who share no film, one of them for the "
            "test"
        )
    fold_of = deal(
        groups,
        dict.fromkeys(range(folds), 1 / folds),
        seed=seed,
        needs=dict.fromkeys(range(folds), 1),
    )
    places = {case.case_id: Place("train", fold_of[group_of[case.patient]]) for case in pool}
    return {case.case_id: places.get(case.case_id, Place("test", TEST_FOLD)) for case in cases}


def _hinted(cases: Sequence[Listed], group_of: Mapping[str, str], folds: int) -> dict[str, str]:
    """The part of each patient that has a hint, or shares a film with one that has."""
    hinted: dict[str, str] = {}
    for case in cases:
        if not case.split_hint:
            continue
        hint = case.split_hint if folds == 1 or case.split_hint == "test" else "train"
        other = hinted.setdefault(case.patient, hint)
        if other != hint:
            raise UserError(
                f"split_hint puts patient {case.patient} into {other} and {hint}: give "
                "all films of a patient one hint, or draw a split with --set data.split=drawn"
            )
    # Where hints tear a group apart already, its other patients stay out of the test.
    of_group: dict[str, str] = {}
    for patient in sorted(hinted, key=lambda patient: SPLITS.index(hinted[patient])):
        of_group.setdefault(group_of[patient], hinted[patient])
    inherited = {
        patient: of_group[group] for patient, group in group_of.items() if group in of_group
    }
    return inherited | hinted


def _group_patients(cases: Sequence[Listed], alike: Sequence[Sequence[str]]) -> dict[str, str]:
    """The first patient of each patient's group of those who share films."""
    patient_of = {case.case_id: case.patient for case in cases}
    above = {patient: patient for patient in patient_of.values()}

    def first(patient: str) -> str:
        while above[patient] != patient:
            patient = above[patient]
        return patient

    for films in alike:
        heads = sorted({first(patient_of[film]) for film in films})
        above.update(dict.fromkeys(heads, heads[0]))
    return {patient: first(patient) for patient in above}


def _groups(cases: Sequence[Listed], group_of: Mapping[str, str]) -> list[Group]:
    """The groups of these cases, each with the source and finding that most of its films have."""
    kinds: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for case in cases:
        kinds[group_of[case.patient]][case.source, case.finding] += 1
    return [
        Group(name, sum(counts.values()), *min(counts, key=lambda kind: (-counts[kind], kind)))
        for name, counts in kinds.items()
    ]


def _check(cases: Sequence[Listed], split_of: Mapping[str, str]) -> None:
    empty = [split for split in SPLITS if split not in split_of.values()]
    if empty:
        raise UserError(
            f"{len(cases)} usable cases of {len(split_of)} patients leave nothing for "
            f"{' and '.join(empty)}: a split by patient needs at least 3 patients (to score them "
            "only, put all into the test with --set data.split=none)"
        )
