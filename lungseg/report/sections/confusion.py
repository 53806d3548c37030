"""Pixel confusion matrices."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lungseg.figures.confusion import confusion_matrix
from lungseg.report.gather import Gathered
from lungseg.report.section import Picture, Section, Table, draw

_COUNTS = ["tp", "fp", "fn", "tn"]


def confusion(gathered: Gathered) -> Section:
    """One matrix a model, pixels of all cases together, averaged over its trainings."""
    rows = gathered.rows
    pictures: list[Picture] = []
    records: list[dict[str, Any]] = []
    for name in gathered.models:
        own = rows[rows["model"] == name]
        sums = own[_COUNTS].sum() / len(own[["fold", "seed"]].drop_duplicates())
        counts = {key: float(sums[key]) for key in _COUNTS}
        lung, background = counts["tp"] + counts["fn"], counts["fp"] + counts["tn"]
        rates = {
            "true_positive_rate": counts["tp"] / max(lung, 1),
            "false_positive_rate": counts["fp"] / max(background, 1),
        }
        records.append({"model": name, **counts, **rates})
        alt = (
            f"Pixel confusion matrix of {gathered.titles[name]}: "
            f"{100 * rates['true_positive_rate']:.2f} % of lung pixels found, "
            f"{100 * rates['false_positive_rate']:.2f} % of background called lung"
        )
        figure = confusion_matrix(gathered.titles[name], counts)
        pictures.append(draw(f"confusion-{name}", alt, figure))
    shown = [
        [
            gathered.titles[row["model"]],
            *(f"{row[key]:,.0f}" for key in _COUNTS),
            f"{row['true_positive_rate']:.4f}",
            f"{row['false_positive_rate']:.4f}",
        ]
        for row in records
    ]
    header = ["Model", "TP", "FP", "FN", "TN", "TP rate", "FP rate"]
    table = Table("confusion", "Pixels of all cases", pd.DataFrame(records), header, shown)
    text = (
        "Pixels of all cases together: large films weigh more here than in the per-case scores, "
        "which are the ones to compare models by."
    )
    return Section("confusion", "Confusion matrices", [text], [table], pictures)
