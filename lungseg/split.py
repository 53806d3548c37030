"""Divide the cases into training, validation and test so that no patient is in two of them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from lungseg.case import SPLITS
from lungseg.errors import UserError


class Listed(Protocol):
    """What the split needs to know of a case."""

    @property
    def case_id(self) -> str: ...
    @property
    def patient(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def split_hint(self) -> str: ...


def split_cases(
    cases: Sequence[Listed],
    *,
    honour_hints: bool,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    alike: Sequence[Sequence[str]] = (),
) -> dict[str, str]:
    """Which part each case belongs to.

    Hints are honoured case by case; what has none is drawn by patient, source by source, in an
    order that depends on the seed and the patients' names alone: the same data give the same split
    on any cluster. Patients who share a film (`alike`) are drawn together, for they are one.

    Args:
        cases: all that can be used.
        honour_hints: False draws for all of them.
        val_fraction: part of the films of each source, as near as patients allow.
        test_fraction: the same for the test.
        seed: of the drawing.
        alike: groups of case ids whose films are nearly the same.

    Returns:
        case_id to "train", "val" or "test".

    Raises:
        UserError: hints put one patient into two parts, or there are too few patients.
    """
    group_of = _groups(cases, alike)
    hinted = _hinted(cases) if honour_hints else {}
    undecided: dict[str, dict[str, int]] = defaultdict(Counter)
    sources: dict[str, str] = {}
    for case in sorted(cases, key=lambda one: (one.patient, one.case_id)):
        if case.patient not in hinted:
            group = group_of[case.patient]
            undecided[sources.setdefault(group, case.source)][group] += 1
    drawn: dict[str, str] = {}
    for counts in undecided.values():
        drawn |= _draw(counts, val_fraction, test_fraction, seed)
    parts = {
        case.case_id: hinted.get(case.patient) or drawn[group_of[case.patient]] for case in cases
    }
    _check(parts, len({case.patient for case in cases}))
    return parts


def _hinted(cases: Sequence[Listed]) -> dict[str, str]:
    """The part of each patient that has a hint."""
    hinted: dict[str, str] = {}
    for case in cases:
        if not case.split_hint:
            continue
        other = hinted.setdefault(case.patient, case.split_hint)
        if other != case.split_hint:
            raise UserError(
                f"split_hint puts patient {case.patient} into {other} and {case.split_hint}: give "
                "all films of a patient one hint, or draw a split with --set data.split=drawn"
            )
    return hinted


def _groups(cases: Sequence[Listed], alike: Sequence[Sequence[str]]) -> dict[str, str]:
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


def _draw(counts: Mapping[str, int], val: float, test: float, seed: int) -> dict[str, str]:
    """Parts of the patients of one source, given the number of their films."""
    order = sorted(counts, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    total = sum(counts.values())
    parts: dict[str, str] = {}
    # The parts still to come get at least one patient each, however many films one has.
    for part, fraction, others in (("test", test, 2), ("val", val, 1)):
        wanted, taken = max(1, round(total * fraction)), 0
        while taken < wanted and len(order) > others:
            patient = order.pop()
            parts[patient] = part
            taken += counts[patient]
    return parts | dict.fromkeys(order, "train")


def _check(parts: Mapping[str, str], patients: int) -> None:
    empty = [part for part in SPLITS if part not in parts.values()]
    if empty:
        raise UserError(
            f"{len(parts)} usable cases of {patients} patients leave nothing for "
            f"{' and '.join(empty)}: a split by patient needs at least 3 patients"
        )
