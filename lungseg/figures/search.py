"""Trials of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lungseg.figures.style import COLOURS, GREY, canvas, entitle, legend, plain
from lungseg.search.trials import FAILED, best_dice, best_of

LABEL = "Validation Dice"
_MARKS = {"stopped early": ("o", "none", "stopped early"), "failed": ("x", COLOURS[4], "failed")}
"""Marker, face and name of the trials that did not end by themselves."""


def search_names(trials: pd.DataFrame) -> list[str]:
    """The searched settings among the columns of `trials.csv`."""
    return [str(name) for name in trials if "." in str(name)]


def search_figures(
    title: str, trials: pd.DataFrame, curves: pd.DataFrame | None, colour: str
) -> dict[str, tuple[str, Figure]]:
    """All figures of a search.

    Args:
        title: of the model.
        trials: `trials.csv`.
        curves: `curves.csv`, if there is one.
        colour: of the model.

    Returns:
        By a name for files, a sentence that says what is seen, and the figure.
    """
    found: dict[str, tuple[str, Figure]] = {}
    best = best_dice(trials)
    if curves is not None:
        alt = f"{LABEL} over the epochs of all trials of {title}; best {best:.4f}"
        found["curves"] = (alt, search_curves(title, trials, curves, colour))
    varied = [name for name in search_names(trials) if trials[name].nunique() > 1]
    for name in varied:
        alt = f"{LABEL} of the trials of {title} over {name}; best {best:.4f}"
        found[name.rpartition(".")[2]] = (alt, search_setting(title, name, trials, colour))
    if len(varied) > 1:
        alt = f"Settings of all trials of {title}, a line each, and their {LABEL.lower()}"
        found["together"] = (alt, search_together(title, varied, trials, colour))
    return found


def search_setting(title: str, name: str, trials: pd.DataFrame, colour: str) -> Figure:
    """Best validation Dice of each trial over one of the searched settings.

    Trials that the search stopped early are hollow, failed ones crosses; the line is the value
    without a search, that of trial 0.
    """
    figure, (panel,) = canvas(3.0)
    values, logarithmic = _positions(panel, trials[name])
    # A trial that failed before its first epoch stands at the bottom.
    scores = trials["best_val_dice"].fillna(0.0).to_numpy(float)
    for end in dict.fromkeys(["", *trials["ended"]]):
        rows = (trials["ended"] == end).to_numpy()
        marker, face, label = _MARKS.get(str(end), ("o", colour, "ran to its end"))
        known = {text.get_label() for text in panel.collections}
        drawn: dict[str, Any] = (
            {"facecolors": face, "edgecolors": colour} if marker == "o" else {"color": face}
        )
        panel.scatter(
            values[rows],
            scores[rows],
            marker=marker,
            **drawn,
            label=label if label not in known and rows.any() else None,
            zorder=3,
        )
    top = (trials["trial"] == best_of(trials)).to_numpy()
    panel.scatter(
        values[top], scores[top], s=150, facecolors="none", edgecolors=COLOURS[6], label="best"
    )
    usual = np.flatnonzero((trials["trial"] == 0).to_numpy())
    if usual.size:
        panel.axvline(values[usual[0]], color=GREY, linestyle=":", label="without a search")
    if logarithmic:
        panel.set_xscale("log")
    entitle(panel, plain(title))
    panel.set(xlabel=plain(name, 40), ylabel=LABEL)
    legend(panel, loc="best")
    return figure


def search_curves(title: str, trials: pd.DataFrame, curves: pd.DataFrame, colour: str) -> Figure:
    """Validation Dice over the epochs, a line a trial; the best one in the model's colour.

    A circle ends the line of a trial that was stopped early, a cross that of one that failed.
    """
    figure, (panel,) = canvas(3.0)
    best = best_of(trials)
    for trial, ended in zip(trials["trial"], trials["ended"], strict=True):
        curve = curves[curves["trial"] == trial]
        if curve.empty:
            continue
        chosen = trial == best
        panel.plot(
            curve["epoch"], curve["val_dice"], color=colour if chosen else GREY, alpha=0.9,
            linewidth=2.0 if chosen else 0.8, zorder=3 if chosen else 2,
            label="best trial" if chosen else None,
        )  # fmt: skip
        if ended in _MARKS:
            marker, _, label = _MARKS[ended]
            known = {line.get_label() for line in panel.lines}
            panel.plot(
                curve["epoch"].iloc[-1], curve["val_dice"].iloc[-1], marker, color=GREY,
                markersize=5, fillstyle="none", label=label if label not in known else None,
            )  # fmt: skip
    entitle(panel, plain(title))
    panel.set(xlabel="Epoch", ylabel=LABEL)
    panel.set_ylim(top=1)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(panel, loc="lower right")
    return figure


def search_together(title: str, names: Sequence[str], trials: pd.DataFrame, colour: str) -> Figure:
    """Parallel coordinates: an axis a setting and one for Dice, a line a trial.

    The stronger a line, the better its trial ranks.
    """
    figure, (panel,) = canvas(3.2)
    columns, ticks = [], []
    for name in [*names, "best_val_dice"]:
        column = trials[name]
        values = _numbers(column)
        if name != "best_val_dice" and _is_logarithmic(column):
            values = np.log10(values)
        low, high = np.nanmin(values), np.nanmax(values)
        columns.append((values - low) / max(high - low, 1e-12))
        ticks.append((_text(column.iloc[int(np.nanargmin(values))]),
                      _text(column.iloc[int(np.nanargmax(values))])))  # fmt: skip
    heights = np.stack(columns, axis=1)
    rank = trials["best_val_dice"].where(trials["ended"] != FAILED).rank(pct=True).fillna(0.0)
    for line, strength in zip(heights, rank, strict=True):
        panel.plot(
            range(len(columns)), line, color=colour, alpha=0.12 + 0.88 * float(strength) ** 3
        )
    for x, (low_text, high_text) in enumerate(ticks):
        panel.axvline(x, color=GREY, linewidth=0.8)
        panel.text(x, -0.04, low_text, ha="center", va="top", fontsize=8)
        panel.text(x, 1.04, high_text, ha="center", va="bottom", fontsize=8)
    labels = [plain(name.rpartition(".")[2].replace("_", " "), 18) for name in names]
    panel.set_xticks(range(len(columns)), [*labels, LABEL])
    panel.set_yticks([])
    panel.set_ylim(-0.15, 1.15)
    panel.grid(visible=False)
    entitle(panel, plain(title))
    return figure


def _positions(panel: Axes, column: pd.Series) -> tuple[np.ndarray, bool]:
    """Where the values stand on an axis, and whether it is logarithmic."""
    if not pd.api.types.is_numeric_dtype(column):
        texts = sorted(map(str, column.unique()))
        panel.set_xticks(range(len(texts)), [plain(text) for text in texts])
        return column.map(lambda value: texts.index(str(value))).to_numpy(float), False
    return column.to_numpy(float), _is_logarithmic(column)


def _is_logarithmic(column: pd.Series) -> bool:
    numeric = pd.api.types.is_numeric_dtype(column)
    return bool(numeric and column.min() > 0 and column.max() > 9 * column.min())


def _numbers(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(float)
    texts = sorted(map(str, column.unique()))
    return column.map(lambda value: texts.index(str(value))).to_numpy(float)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else plain(str(value))
