"""Where two models agree and where they do not."""

from __future__ import annotations

import itertools

from lungseg.figures.agreement import bland_altman, paired_scatter
from lungseg.report.gather import Gathered
from lungseg.report.labels import SCORES
from lungseg.report.section import Section, draw

_SCORE = "dice"


def agreement(gathered: Gathered) -> Section | None:
    """Paired scatter and Bland–Altman plot of every two models."""
    wide = gathered.cases.pivot_table(
        index=["source", "case_id"], columns="model", values=_SCORE, observed=True
    )
    label = SCORES[_SCORE]
    pictures = []
    for first, second in itertools.combinations(gathered.models, 2):
        both = wide[[first, second]].dropna()
        if both.empty:
            continue
        x, y = both[first].to_numpy(), both[second].to_numpy()
        names = gathered.titles[first], gathered.titles[second]
        apart = f"mean difference {(x - y).mean():+.4f}, largest {abs(x - y).max():.3f}"
        pair = f"{first}-{second}"
        pictures += [
            draw(f"scatter-{pair}", f"Dice per case of {names[0]} and {names[1]}: {apart}",
                 paired_scatter(*names, x, y, label)),
            draw(f"bland-altman-{pair}", f"Bland–Altman plot of {names[0]} and {names[1]}: {apart}",
                 bland_altman(*names, x, y, label)),
        ]  # fmt: skip
    if not pictures:
        return None
    text = (
        "Every point is a case. In the first plot of a pair, cases below the line are better with the "
        "first model; in the second, lines mark the mean difference and the limits of agreement "
        "(± 1.96 sd)."
    )
    return Section("agreement", "Agreement between models", [text], pictures=pictures)
