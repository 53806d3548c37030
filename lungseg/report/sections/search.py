"""What the search has found."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import is_numeric_dtype

from lungseg.figures.search import search_parameter, search_progress
from lungseg.figures.style import palette
from lungseg.report.gather import Gathered
from lungseg.report.labels import model_title, order
from lungseg.report.section import Picture, Section, Table, draw

_SCORES = ("val_dice", "best_val_dice", "dice")
_NOT_SETTINGS = ("trial", "epochs", "epoch", "seconds", "rank", "score", *_SCORES)
_SHOWN = 10


def search(gathered: Gathered) -> Section | None:
    """Progress of the search, score over each searched number, and the best trials."""
    tables: list[Table] = []
    pictures: list[Picture] = []
    for number, run in enumerate(gathered.runs):
        suffix = f"-{number + 1}" if len(gathered.runs) > 1 else ""
        for name in order(run.trials):
            trials = run.trials[name]
            score = next((column for column in _SCORES if column in trials), None)
            if score is not None:
                tables.append(_table(name, trials, score, suffix))
                pictures += _pictures(name, trials, score, suffix, gathered)
    if not tables:
        return None
    text = "Trials are compared by validation Dice; the test films play no part."
    return Section("search", "Search", [text], tables, pictures)


def _table(name: str, trials: pd.DataFrame, score: str, suffix: str) -> Table:
    ranked = trials.sort_values(score, ascending=False, kind="stable")
    shown = ranked.head(_SHOWN)
    rows = [
        [f"{row[key]:.4f}" if key == score else _text(row[key]) for key in trials]
        for row in shown.to_dict("records")
    ]
    caption = f"Best trials of {model_title(name)} ({len(shown)} of {len(trials)})"
    header = [str(column).replace("_", " ") for column in trials]
    return Table(f"search-{name}{suffix}", caption, ranked, header, rows)


def _pictures(
    name: str, trials: pd.DataFrame, score: str, suffix: str, gathered: Gathered
) -> list[Picture]:
    title = model_title(name)
    colour = palette(list(gathered.titles.values())).get(title, "#0072B2")
    scores = trials[score].to_numpy(float)
    label = "Validation Dice"
    found = [
        draw(
            f"search-{name}{suffix}",
            f"Validation Dice of the trials of {title}; best {trials[score].max():.4f}",
            search_progress(title, scores, label, colour),
        )
    ]
    for column in trials:
        varied = is_numeric_dtype(trials[column]) and trials[column].nunique() > 1
        if column not in _NOT_SETTINGS and varied:
            values = trials[column].to_numpy(float)
            figure = search_parameter(title, str(column), values, scores, label)
            alt = f"Validation Dice of the trials of {title} over {column}"
            found.append(draw(f"search-{name}{suffix}-{column}".replace("/", "-"), alt, figure))
    return found


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.4g}"
    return str(value)
