"""The look all figures share, readable in print, on a projector and by the colour-blind."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
"""Okabe and Ito 2008, "Color Universal Design"."""

GREY = "#6b6b6b"
WIDTH = 4.4
"""Width of a figure in inches: narrow enough to be read unscaled on a telephone."""

_LOOK: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e2e2e2",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "svg.hashsalt": "lungseg",
}


def palette(titles: Sequence[str]) -> dict[str, str]:
    """One colour a model, the same in all figures of a report."""
    return {title: COLOURS[index % len(COLOURS)] for index, title in enumerate(titles)}


def canvas(
    height: float, *, rows: int = 1, width: float = WIDTH, **layout: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure of this look with `rows` panels one below the other.

    Args:
        height, width: in inches.
        layout: further arguments of `matplotlib.figure.Figure.subplots`.
    """
    with matplotlib.rc_context(_LOOK):
        figure = Figure(figsize=(width, height), layout="constrained")
        panels = figure.subplots(rows, 1, squeeze=False, **layout)
    return figure, list(panels[:, 0])


def entitle(panel: Axes, text: str) -> None:
    """Head a panel, bold at the left."""
    panel.set_title(text, loc="left", fontsize=10, fontweight="bold")


def plain(text: str, longest: int = 20) -> str:
    """A name out of the data as one short line that is no formula, whatever it holds."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = f"{line[: longest // 2]}…{line[len(line) - (longest - 1) // 2 :]}"
    return line.replace("$", r"\$")


def legend(panel: Axes, **place: Any) -> None:
    """A legend without frame, if the panel has anything to name."""
    handles, labels = panel.get_legend_handles_labels()
    if handles:
        labels = [plain(label) for label in labels]
        panel.legend(handles, labels, fontsize=_LOOK["legend.fontsize"], frameon=False, **place)


def jitter(count: int, width: float) -> np.ndarray:
    """Offsets that part points which would lie on one another; the same every time."""
    return np.random.default_rng(0).uniform(-width, width, count)


def png(figure: Figure, dpi: int = 180) -> bytes:
    """The figure as a PNG file."""
    return _saved(figure, format="png", dpi=dpi)


def svg(figure: Figure) -> bytes:
    """The figure as an SVG file, the same bytes for the same numbers."""
    return _saved(figure, format="svg", dpi=180, metadata={"Date": None})


def _saved(figure: Figure, **how: Any) -> bytes:
    stream = io.BytesIO()
    with matplotlib.rc_context(_LOOK), warnings.catch_warnings():
        # Findings may be in any script; what the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(stream, **how)
    # Laid out once: the other format gets the same places, and sooner.
    figure.set_layout_engine("none")
    return stream.getvalue()
