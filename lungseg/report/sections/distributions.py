"""How the scores are spread over the cases."""

from __future__ import annotations

import pandas as pd

from lungseg.figures.distributions import distributions as draw_distributions
from lungseg.figures.style import palette
from lungseg.report.gather import Gathered
from lungseg.report.labels import score_title
from lungseg.report.section import Section, draw

_SHOWN = ("dice", "iou", "hd95", "assd", "nsd_2mm", "nsd_5mm")


def distributions(gathered: Gathered) -> Section:
    """Box plots with every case as a point."""
    cases, titles = gathered.cases, gathered.titles
    colours = palette(list(titles.values()))
    pictures = []
    for name in _SHOWN:
        if name not in cases:
            continue
        shown, unit = _one_unit(cases, name)
        values = {
            titles[model]: shown.loc[shown["model"] == model, name].dropna().to_numpy()
            for model in gathered.models
        }
        values = {title: points for title, points in values.items() if len(points)}
        if values:
            title = score_title(name, unit)
            alt = f"Box plot of {title} per case: " + "; ".join(
                f"{model} median {pd.Series(points).median():.3f}"
                for model, points in values.items()
            )
            pictures.append(draw(f"cases-{name}", alt, draw_distributions(values, title, colours)))
    text = (
        "Every point is a case. Boxes span the quartiles, the thick line is the median, whiskers "
        "reach the 5th and 95th percentile."
    )
    return Section("distributions", "Scores per case", [text], pictures=pictures)


def _one_unit(cases: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str]:
    if "boundary_unit" not in cases:
        return cases, "px"
    unit = str(cases["boundary_unit"].value_counts().index[0])
    bounded = name.startswith(("hd95", "assd", "nsd"))
    return (cases[cases["boundary_unit"] == unit] if bounded else cases), unit
