"""What the search has found."""

from __future__ import annotations

import pandas as pd

from lungseg.figures.search import search_figures, search_names
from lungseg.figures.style import palette
from lungseg.report.gather import Gathered
from lungseg.report.labels import model_title, order
from lungseg.report.section import Picture, Section, Table, draw
from lungseg.search.trials import best_of, ranked

_SHOWN = 10
_COLUMNS = {
    "trial": "{:.0f}",
    "epochs": "{:.0f}",
    "best_val_dice": "{:.4f}",
    "seconds": "{:,.0f}",
    "ended": "{}",
}


def search(gathered: Gathered) -> Section | None:
    """The best trials, the curves of all, and Dice over each searched setting."""
    texts = ["Trials are compared by validation Dice; the test films play no part."]
    tables: list[Table] = []
    pictures: list[Picture] = []
    for number, run in enumerate(gathered.runs):
        suffix = f"-{number + 1}" if len(gathered.runs) > 1 else ""
        for name in order(run.trials):
            trials, title = run.trials[name], model_title(name)
            if "best_val_dice" not in trials or best_of(trials) is None:
                continue
            texts.append(_sentence(title, trials))
            tables.append(_table(name, trials, suffix))
            colour = palette(list(gathered.titles.values())).get(title, "#0072B2")
            figures = search_figures(title, trials, run.curves.get(name), colour)
            pictures += [
                draw(f"search-{name}{suffix}-{key}", alt, figure)
                for key, (alt, figure) in figures.items()
            ]
    return Section("search", "Search", texts, tables, pictures) if tables else None


def _sentence(title: str, trials: pd.DataFrame) -> str:
    best = ranked(trials).iloc[0]
    found = ", ".join(f"{name} {_text(best[name])}" for name in search_names(trials))
    stopped = int((trials["ended"] == "stopped early").sum())
    failed = int((trials["ended"] == "failed").sum())
    return (
        f"{title} was trained with {found}: the best of {len(trials)} trials, of which "
        f"{stopped} were stopped early and {failed} failed."
    )


def _table(name: str, trials: pd.DataFrame, suffix: str) -> Table:
    best_first = ranked(trials)
    shown = best_first.head(_SHOWN)
    settings = search_names(trials)
    first, *others = [key for key in _COLUMNS if key in trials]
    rows = [
        [_COLUMNS[first].format(row[first])]
        + [_text(row[key]) for key in settings]
        + [_COLUMNS[key].format(row[key]) for key in others]
        for row in shown.to_dict("records")
    ]
    caption = f"Best trials of {model_title(name)} ({len(shown)} of {len(trials)})"
    header = [key.replace("_", " ").capitalize() for key in (first, *settings, *others)]
    return Table(f"search-{name}{suffix}", caption, best_first, header, rows)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.4g}"
    return str(value)
