"""Accuracy against what it costs."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from lungseg.figures.style import canvas, plain

_MARKERS = "osD^vPX"


def cost(
    label: str,
    costs: Mapping[str, float],
    scores: Mapping[str, tuple[float, float, float]],
    palette: Mapping[str, str],
) -> Figure:
    """Mean Dice with its 95 % interval over one kind of cost.

    Args:
        label: of the cost, with its unit.
        costs: by title of the model.
        scores: mean, low and high end of the interval, by title.
        palette: colour of each title.
    """
    figure, (panel,) = canvas(3.1)
    for number, (title, value) in enumerate(costs.items()):
        mean, low, high = scores[title]
        panel.errorbar(
            value, mean, [[max(0.0, mean - low)], [max(0.0, high - mean)]],
            fmt=_MARKERS[number % len(_MARKERS)], color=palette[title], markersize=7, capsize=3,
        )  # fmt: skip
        panel.annotate(plain(title), (value, mean), (8, 5), textcoords="offset points", fontsize=9)
    panel.margins(x=0.25, y=0.15)
    if min(costs.values()) > 0 and max(costs.values()) > 20 * min(costs.values()):
        panel.set_xscale("log")
    panel.set(xlabel=label, ylabel="Mean Dice")
    return figure
