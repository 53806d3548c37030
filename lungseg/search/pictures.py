"""The figures of a search as PNG files beside its tables."""

from __future__ import annotations

import io

import pandas as pd

from lungseg import storage
from lungseg.figures.search import search_figures
from lungseg.figures.style import COLOURS, png
from lungseg.report.labels import model_title
from lungseg.search.trials import CURVES, TRIALS


def write_figures(search: str, model: str) -> None:
    """Write `figures/*.png` out of `trials.csv` and `curves.csv`.

    Args:
        search: folder of the search of one architecture.
        model: that architecture.
    """
    trials, curves = (
        pd.read_csv(io.StringIO(storage.read_text(storage.join(search, name))))
        for name in (TRIALS, CURVES)
    )
    for name, (_, figure) in search_figures(model_title(model), trials, curves, COLOURS[0]).items():
        storage.write_bytes(storage.join(search, "figures", f"{name}.png"), png(figure))
