"""Pixel confusion matrix of a model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import seaborn
from matplotlib.figure import Figure

from lungseg.figures.style import canvas, entitle, plain


def confusion_matrix(title: str, counts: Mapping[str, float]) -> Figure:
    """Pixels of all cases together: rate of each row (the reference) and count below it.

    Args:
        title: of the model.
        counts: sums of `tp, fp, fn, tn`.
    """
    cells = np.array([[counts["tp"], counts["fn"]], [counts["fp"], counts["tn"]]], float)
    rates = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    texts = [
        [f"{100 * rate:.2f} %\n{_pixels(cell)}" for rate, cell in zip(*row, strict=True)]
        for row in zip(rates, cells, strict=True)
    ]
    figure, (panel,) = canvas(2.9)
    seaborn.heatmap(
        rates, annot=np.array(texts), fmt="", cmap="Blues", vmin=0, vmax=1, cbar=False,
        linewidths=2, ax=panel, annot_kws={"size": 11},
        xticklabels=["lung", "background"], yticklabels=["lung", "background"],
    )  # fmt: skip
    entitle(panel, plain(title))
    panel.set(xlabel="Predicted", ylabel="Reference")
    panel.tick_params(length=0, labelsize=9, labelrotation=0)
    return figure


def _pixels(count: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {unit}px"
    return f"{count:.0f} px"
