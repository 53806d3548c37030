"""Trials of a search."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lungseg.figures.style import COLOURS, GREY, canvas, entitle, legend, plain


def search_progress(title: str, scores: np.ndarray, label: str, colour: str) -> Figure:
    """Score of each trial in the order they started, and the best so far.

    Args:
        title: of the model.
        scores: float (trials,), NaN for a trial that failed.
        label: of the score.
        colour: of the model.
    """
    figure, (panel,) = canvas(3.0)
    number = np.arange(1, len(scores) + 1)
    panel.plot(number, scores, "o", color=GREY, markersize=5, label="trial")
    panel.step(number, np.fmax.accumulate(scores), where="post", color=colour, label="best so far")
    entitle(panel, plain(title))
    panel.set(xlabel="Trial", ylabel=label)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(panel, loc="lower right")
    return figure


def search_parameter(
    title: str, name: str, values: np.ndarray, scores: np.ndarray, label: str
) -> Figure:
    """Score of each trial over one of the searched settings.

    Args:
        title: of the model.
        name: of the setting.
        values: float (trials,).
        scores: float (trials,).
        label: of the score.
    """
    figure, (panel,) = canvas(3.0)
    panel.plot(values, scores, "o", color=COLOURS[0], markersize=5)
    positive = values[np.isfinite(values)]
    if positive.size and positive.min() > 0 and positive.max() > 20 * positive.min():
        panel.set_xscale("log")
    entitle(panel, plain(title))
    panel.set(xlabel=plain(name, 40), ylabel=label)
    return figure
