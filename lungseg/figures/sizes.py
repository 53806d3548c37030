"""How large the films are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from lungseg.figures.style import COLOURS, canvas, entitle, legend

_MARKERS = "osD^vPX"


def image_sizes(sizes: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Width over height of every film.

    Args:
        sizes: widths and heights in px, int (cases,) each, by source.
    """
    figure, (panel,) = canvas(3.6)
    for number, (source, (width, height)) in enumerate(sizes.items()):
        panel.scatter(
            width, height, s=18, marker=_MARKERS[number % len(_MARKERS)], alpha=0.5, linewidths=0,
            color=COLOURS[number % len(COLOURS)], label=source, rasterized=len(width) > 500,
        )  # fmt: skip
    entitle(panel, "Size of the films")
    panel.set(xlabel="Width [px]", ylabel="Height [px]")
    panel.set_xlim(left=0)
    panel.set_ylim(bottom=0)
    legend(panel, loc="lower right")
    return figure
