"""Markdown for pull requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lungseg.report.labels import SCORES, score_title
from lungseg.report.sections.comparison import common_unit, number

_SHOWN = ("dice", "iou", "precision", "recall", "hd95", "assd", "nsd_2mm")


def cell(text: str) -> str:
    """A text of the data as one line that stays text in Markdown."""
    line = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]|#<>&~" else letter for letter in line)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; its texts are escaped."""
    lines = [
        [cell(text) for text in header],
        ["---"] * len(header),
        *([cell(text) for text in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def short_report(summary: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """The conclusion, the main scores, and the pairs."""
    models = summary["models"]
    unit = common_unit(models)
    names = [name for name in _SHOWN if all(model.get(name) for model in models.values())]
    scores = []
    for name, model in models.items():
        cells = [number(score, model[score]["mean"]) for score in names]
        low, high = model["dice"]["ci95"]
        cells[0] += f" ({low:.3f} to {high:.3f})"
        own = [] if unit else [model.get("boundary_unit", "–")]
        scores.append([titles[name], *cells, *own, str(model["n_failed"])])
    called = [score_title(name, unit) if unit else SCORES[name] for name in names]
    header = ["Model", *called, *([] if unit else ["Unit of distances"]), "Empty"]
    parts = [
        "## Lung segmentation models",
        "",
        cell(summary["conclusion"]),
        "",
        table(header, scores),
    ]
    if summary["pairs"]:
        pairs = [
            [
                " − ".join(titles[name] for name in pair["models"]),
                f"{pair['mean_difference']:+.4f}",
                f"{pair['ci95'][0]:+.4f} to {pair['ci95'][1]:+.4f}",
                f"{pair['p_holm']:.3g}",
                "shown" if pair["difference_shown"] else "not shown",
            ]
            for pair in summary["pairs"]
        ]
        header = ["Pair", "Dice difference", "95 % CI", "Holm p", "Difference"]
        parts += ["", table(header, pairs)]
    parts += ["", cell(f"{_counts(models, titles)}, at original size.")]
    return "\n".join(parts) + "\n"


def _counts(models: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Over what the scores are: in one where all models have as many."""
    texts = {
        name: f"{model['n_cases']} test cases of {model['n_patients']} patients"
        for name, model in models.items()
    }
    if len(set(texts.values())) == 1:
        return next(iter(texts.values())) + (" for each model" if len(models) > 1 else "")
    return "; ".join(f"{titles[name]}: {text}" for name, text in texts.items())
