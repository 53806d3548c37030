"""Per-case scores: every case a point, the box around its quartiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from lungseg.figures.style import canvas, jitter, plain


def distributions(
    values: Mapping[str, np.ndarray], label: str, palette: Mapping[str, str]
) -> Figure:
    """Box plot with raw points, one row a model; whiskers reach the 5th and 95th percentile.

    Args:
        values: the score of each case, by title of the model.
        label: of the score, with its unit.
        palette: colour of each title.
    """
    titles = list(values)
    figure, (panel,) = canvas(1.0 + 0.75 * len(titles))
    for row, title in enumerate(titles):
        points = np.asarray(values[title], float)
        panel.scatter(
            points, row + jitter(len(points), 0.28), s=16 if len(points) < 200 else 8,
            color=palette[title], linewidths=0,
            alpha=max(0.08, min(0.7, 60 / max(len(points), 1))), rasterized=len(points) > 500,
        )  # fmt: skip
    panel.boxplot(
        [np.asarray(values[title], float) for title in titles], positions=range(len(titles)),
        orientation="horizontal", widths=0.62, whis=(5, 95), showfliers=False, manage_ticks=False,
        medianprops={"color": "black", "linewidth": 2.2},
    )  # fmt: skip
    panel.set_yticks(range(len(titles)), [plain(title) for title in titles])
    panel.invert_yaxis()
    panel.grid(axis="y", visible=False)
    panel.set(xlabel=label)
    return figure
