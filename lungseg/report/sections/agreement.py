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
    scatters, differences = [], []
    for first, second in itertools.combinations(gathered.models, 2):
        both = wide[[first, second]].dropna()
        if both.empty:
            continue
        x, y = both[first].to_numpy(), both[second].to_numpy()
        names = gathered.titles[first], gathered.titles[second]
        apart = f"mean difference {(x - y).mean():+.4f}, largest {abs(x - y).max():.3f}"
        pair = f"{first}-{second}"
        alt = f"Dice per case of {names[0]} and {names[1]}: {apart}"
        scatters.append(draw(f"scatter-{pair}", alt, paired_scatter(*names, x, y, label)))
        alt = f"Bland–Altman plot of {names[0]} and {names[1]}: {apart}"
        differences.append(draw(f"bland-altman-{pair}", alt, bland_altman(*names, x, y, label)))
    if not scatters:
        return None
    text = (
        "Every point is a case. In the first plots, both models score alike on the line, and below "
        "it the model named first scores higher. The other plots (Bland–Altman) show the "
        "difference over the mean of both: the solid line is the mean difference, and 95 % of the "
        "cases are expected between the dashed ones (± 1.96 sd)."
    )
    return Section(
        "agreement", "Agreement between models", [text], pictures=[*scatters, *differences]
    )
