"""Forest plot: mean and interval of each subgroup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from lungseg.figures.style import GREY, canvas, entitle, plain

_LIGHT = "#b9b9b9"
_MARKERS = "osD^vPX"


@dataclass(frozen=True)
class Group:
    """One row of a forest plot."""

    label: str
    patients: int
    estimates: Mapping[str, tuple[float, float, float]]
    """Mean, low and high end of its interval, by title of the model."""
    small: bool
    """Too few patients to speak of: drawn in grey."""


def forest(
    title: str,
    groups: Sequence[Group],
    label: str,
    palette: Mapping[str, str],
    limits: tuple[float, float],
) -> Figure:
    """Groups below one another, a mark a model; the lines are 95 % intervals.

    Args:
        title: of the fact that makes the groups.
        groups: from top to bottom.
        label: of the score.
        palette: colour of each title.
        limits: of the axis, common to all facts of a report.
    """
    models = list(groups[0].estimates)
    step = 0.8 / len(models)
    figure, (panel,) = canvas(1.15 + 0.17 * len(models) * len(groups) + 0.14 * len(groups))
    for row, group in enumerate(groups):
        for column, (model, (mean, low, high)) in enumerate(group.estimates.items()):
            place = row + (column - (len(models) - 1) / 2) * step
            colour = _LIGHT if group.small else palette[model]
            panel.plot([low, high], [place, place], color=colour, linewidth=1.6)
            panel.plot(
                mean, place, _MARKERS[column % len(_MARKERS)], color=colour, markersize=5,
                linestyle="none",
            )  # fmt: skip
    for column, model in enumerate(models):
        panel.plot([], [], _MARKERS[column % len(_MARKERS)], color=palette[model], label=model)
    names = [f"{plain(group.label, 24)}\nn = {group.patients}" for group in groups]
    panel.set_yticks(range(len(groups)), names)
    for text, group in zip(panel.get_yticklabels(), groups, strict=True):
        text.set_color(GREY if group.small else "black")
    panel.set_ylim(len(groups) - 0.4, -0.6)
    panel.set_xlim(*limits)
    panel.grid(axis="y", visible=False)
    entitle(panel, title)
    panel.set(xlabel=label)
    handles, _ = panel.get_legend_handles_labels()
    figure.legend(
        handles, [plain(model) for model in models], loc="outside lower center", frameon=False,
        ncols=3 if len(models) <= 3 else 2,
    )  # fmt: skip
    return figure
