"""What the probabilities are worth on the validation films, and how the threshold was chosen."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from lungseg.figures.style import GREY, canvas, entitle, legend

_LINES = ("-o", "--s", "-.D", ":^")


def reliability(tables: Mapping[str, pd.DataFrame], palette: Mapping[str, str]) -> Figure:
    """Fraction of lung among pixels of a predicted probability; a calibrated model is on the line.

    Args:
        tables: columns `probability` and `fraction`, by title of the model.
        palette: colour of each title.
    """
    figure, (panel,) = canvas(3.6)
    panel.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    for number, (title, table) in enumerate(tables.items()):
        panel.plot(
            table["probability"], table["fraction"], _LINES[number % len(_LINES)],
            color=palette[title], label=title, markersize=4, linewidth=1.4,
        )  # fmt: skip
    panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    entitle(panel, "Calibration")
    panel.set(xlabel="Predicted probability of lung", ylabel="Fraction that is lung")
    legend(panel, loc="upper left")
    return figure


def threshold_curve(
    tables: Mapping[str, pd.DataFrame], chosen: Mapping[str, float], palette: Mapping[str, str]
) -> Figure:
    """Mean Dice over the threshold; a dotted line marks the one stored with the model.

    Args:
        tables: columns `threshold` and `mean_dice`, by title of the model.
        chosen: stored threshold of each title.
        palette: colour of each title.
    """
    figure, (panel,) = canvas(3.6)
    for number, (title, table) in enumerate(tables.items()):
        panel.plot(
            table["threshold"], table["mean_dice"], _LINES[number % len(_LINES)][:-1],
            color=palette[title], label=title, linewidth=1.8,
        )  # fmt: skip
        if title in chosen:
            panel.axvline(chosen[title], color=palette[title], linestyle=":", linewidth=1.4)
    between = pd.concat(
        [table[table["threshold"].between(0.04, 0.96)] for table in tables.values()]
    )
    low, high = between["mean_dice"].min(), between["mean_dice"].max()
    entitle(panel, "Choice of the threshold")
    panel.set_xlim(0, 1)
    panel.set_ylim(max(0.0, low - 0.005, high - 0.15), min(1.0, high + 0.005))
    panel.set(xlabel="Threshold", ylabel="Mean validation Dice")
    legend(panel, loc="lower center")
    return figure
