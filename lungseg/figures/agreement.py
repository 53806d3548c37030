"""Two models on the same cases."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lungseg.figures.style import COLOURS, GREY, canvas, entitle, plain

_HEIGHT = 3.5


def paired_scatter(first: str, second: str, x: np.ndarray, y: np.ndarray, label: str) -> Figure:
    """Each case by its score of one model and of the other; on the line they are equal.

    Args:
        first, second: titles of the models.
        x, y: float (cases,), their scores.
        label: of the score.
    """
    figure, (panel,) = canvas(_HEIGHT)
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.04 * (high - low) or 0.01
    ends = (low - margin, high + margin)
    panel.plot(ends, ends, color=GREY, linewidth=1)
    _points(figure, x, y)
    first, second = plain(first), plain(second)
    entitle(panel, f"{first} and {second}")
    panel.set(xlim=ends, ylim=ends, aspect="equal")
    panel.set(xlabel=f"{label}, {first}", ylabel=f"{label}, {second}")
    return figure


def bland_altman(first: str, second: str, x: np.ndarray, y: np.ndarray, label: str) -> Figure:
    """Difference over mean, with its mean and limits of agreement (mean ± 1.96 sd).

    Bland and Altman 1986, The Lancet 327:307.
    """
    figure, (panel,) = canvas(_HEIGHT)
    difference, mean = x - y, (x + y) / 2
    bias = float(difference.mean())
    reach = 1.96 * float(difference.std(ddof=1)) if len(x) > 1 else 0.0
    panel.axhline(0, color="#c8c8c8", linewidth=1)
    panel.axhline(bias, color=COLOURS[4], linewidth=1.6)
    for line in (bias - reach, bias + reach):
        panel.axhline(line, color=COLOURS[4], linewidth=1.2, linestyle="--")
    _points(figure, mean, difference)
    entitle(panel, f"{plain(first)} − {plain(second)}: {bias:+.4f} ± {reach:.4f}")
    panel.set(xlabel=f"Mean {label} of both", ylabel=f"{label} difference")
    return figure


def _points(figure: Figure, x: np.ndarray, y: np.ndarray) -> None:
    figure.axes[0].scatter(
        x, y, s=14, color=COLOURS[0], linewidths=0, rasterized=len(x) > 500,
        alpha=max(0.1, min(0.7, 80 / max(len(x), 1))),
    )  # fmt: skip
