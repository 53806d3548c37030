"""Divide the cases into training, validation and test so that no patient is in two of them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
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
) -> dict[str, str]:
    """Which part each case belongs to.

    Hints are honoured case by case; what has none is drawn by patient, source by source, in an
    order that depends on the seed and the patients' names alone: the same data give the same split
    on any cluster.

    Returns:
        case_id to "train", "val" or "test".

    Raises:
        UserError: hints put one patient into two parts, or there are too few patients.
    """
    by_patient: dict[str, list[Listed]] = defaultdict(list)
    for case in cases:
        by_patient[case.patient].append(case)
    parts: dict[str, str] = {}
    undecided: dict[str, list[str]] = defaultdict(list)
    for patient, films in sorted(by_patient.items()):
        hints = {film.split_hint for film in films if film.split_hint} if honour_hints else set()
        if len(hints) > 1:
            raise UserError(
                f"split_hint puts patient {patient} into {' and '.join(sorted(hints))}: give all "
                "films of a patient one hint, or draw a split with --set data.split=drawn"
            )
        if hints:
            parts[patient] = hints.pop()
        else:
            undecided[films[0].source].append(patient)
    counts = {patient: len(films) for patient, films in by_patient.items()}
    for patients in undecided.values():
        parts |= _draw(patients, counts, val_fraction, test_fraction, seed)
    _check(parts, len(cases))
    return {case.case_id: parts[case.patient] for case in cases}


def _draw(
    patients: Sequence[str], counts: Mapping[str, int], val: float, test: float, seed: int
) -> dict[str, str]:
    order = sorted(patients, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    total = sum(counts[name] for name in order)
    parts: dict[str, str] = {}
    # The parts still to come get at least one patient each, however many films one has.
    for part, fraction, others in (("test", test, 2), ("val", val, 1)):
        wanted, taken = max(1, round(total * fraction)), 0
        while taken < wanted and len(order) > others:
            patient = order.pop()
            parts[patient] = part
            taken += counts[patient]
    return parts | dict.fromkeys(order, "train")


def _check(parts: Mapping[str, str], cases: int) -> None:
    empty = [part for part in SPLITS if part not in parts.values()]
    if empty:
        raise UserError(
            f"{cases} usable cases of {len(parts)} patients leave nothing for "
            f"{' and '.join(empty)}: a split by patient needs at least 3 patients"
        )
