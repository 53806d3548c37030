"""With what the numbers were made, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lungseg.report.gather import Gathered
from lungseg.report.section import Section, Table

_METHODS = (
    "Dice, IoU, accuracy, precision, recall, F1 and specificity come from the pixel counts of each "
    "film at its original size. HD95 is the larger of the two directed 95th percentiles of the "
    "distances between the boundaries, ASSD their pooled mean, NSD the part of both boundaries "
    "within the tolerance; in mm where the pixel spacing is known, else in px. A boundary is a "
    "mask minus its erosion.",
    "An empty prediction has Dice, IoU and NSD 0 and both distances equal to the film's diagonal; "
    "it is counted, never left out. Left and right lung are told apart by the nearer of the two "
    "largest parts of the reference.",
    "Trainings of a model are averaged per case, then the films of a patient. Intervals are "
    "percentile bootstrap intervals over patients; pairs are compared by the Wilcoxon signed-rank "
    "test with Holm's correction. A difference is called shown only if test and interval agree "
    "and, with repeated trainings, the trainings differ as well (t-test with the mean of each fold "
    "taken out, Holm's correction).",
)


def provenance(gathered: Gathered) -> Section:
    """Methods in three paragraphs; versions, hardware and seconds a stage."""
    records = [
        {"run": run.name, "fact": name, "value": value}
        for run in gathered.runs
        for name, value in _flat(run.provenance)
    ]
    if not records:
        return Section("methods", "Methods", _METHODS)
    several = len(gathered.runs) > 1
    rows = [
        [record["fact"], *([record["run"]] if several else []), record["value"]]
        for record in records
    ]
    header = ["Fact", *(["Run"] if several else []), "Value"]
    frame = pd.DataFrame(records)
    table = Table(
        "provenance", "Versions, hardware, seconds a stage", frame, header, rows, folded=True
    )
    return Section("methods", "Methods and provenance", _METHODS, [table])


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif value not in ("", None):
            yield f"{above}{name}", str(value)
