"""Loss, Dice and learning rate over the epochs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from lungseg.figures.style import GREY, canvas, entitle, legend, plain

if TYPE_CHECKING:
    import pandas as pd


def training_curves(title: str, histories: Sequence[pd.DataFrame], colour: str) -> Figure:
    """Curves of one model, a line for each of its trainings.

    Args:
        title: of the model.
        histories: `history.csv` of each training.
        colour: of the validation curves; training is grey.
    """
    figure, panels = canvas(4.9, rows=3, sharex=True, height_ratios=(3, 3, 1.6))
    loss, dice, rate = panels
    width = 1.8 if len(histories) == 1 else 1.1
    for number, history in enumerate(histories):
        names = ("training", "validation") if number == 0 else (None, None)
        for panel, column in ((loss, "loss"), (dice, "dice")):
            panel.plot(
                history["epoch"], history[column], "--", color=GREY, linewidth=width, label=names[0]
            )
            panel.plot(
                history["epoch"], history[f"val_{column}"], color=colour, linewidth=width,
                marker="." if len(history) < 12 else None, label=names[1],
            )  # fmt: skip
        rate.step(
            history["epoch"], history["learning_rate"], where="mid", color=colour, linewidth=width
        )
    entitle(loss, plain(title))
    loss.set(ylabel="Loss")
    loss.set_ylim(bottom=0)
    dice.set(ylabel="Dice")
    dice.set_ylim(top=1)
    rate.set(ylabel="Learning\nrate", xlabel="Epoch", yscale="log")
    shown = _apart({float(value) for one in histories for value in one["learning_rate"]})
    rate.yaxis.set_minor_locator(NullLocator())
    rate.set_yticks(shown, [f"{value:.2g}" for value in shown])
    rate.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(loss)
    figure.align_ylabels(panels)
    return figure


def _apart(rates: Collection[float]) -> list[float]:
    """Some of the rates, from the highest down, that leave each other a quarter of a log axis."""
    least = math.log(max(rates) / min(rates)) / 4 - 1e-9
    shown = [max(rates)]
    for rate in sorted(rates, reverse=True):
        if rate < shown[-1] and math.log(shown[-1] / rate) >= least:
            shown.append(rate)
    return shown


def validation_curves(
    histories: Mapping[str, Sequence[pd.DataFrame]], palette: Mapping[str, str]
) -> Figure:
    """Validation Dice of all models in one panel.

    Args:
        histories: `history.csv` of each training, by title of the model.
        palette: colour of each title.
    """
    figure, (panel,) = canvas(3.0)
    for (title, trainings), line in zip(histories.items(), _lines(), strict=False):
        for number, history in enumerate(trainings):
            panel.plot(
                history["epoch"], history["val_dice"], line, color=palette[title],
                linewidth=1.8 if len(trainings) == 1 else 1.1,
                label=title if number == 0 else None,
            )  # fmt: skip
    entitle(panel, "Validation Dice")
    panel.set(xlabel="Epoch", ylabel="Dice")
    panel.set_ylim(top=1)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(panel, loc="lower right")
    return figure


def _lines() -> list[str]:
    return ["-", "--", "-.", ":"] * 4
