"""Markdown for pull requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lungseg.report.labels import score_title
from lungseg.report.sections.comparison import number

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
    unit = next(iter(models.values())).get("boundary_unit", "px")
    names = [name for name in _SHOWN if all(model.get(name) for model in models.values())]
    scores = []
    for name, model in models.items():
        cells = [number(score, model[score]["mean"]) for score in names]
        low, high = model["dice"]["ci95"]
        cells[0] += f" ({low:.3f} to {high:.3f})"
        scores.append([titles[name], *cells, str(model["n_failed"])])
    header = ["Model", *(score_title(name, unit) for name in names), "Empty"]
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
    first = next(iter(models.values()))
    parts += [
        "",
        f"{first['n_cases']} test cases of {first['n_patients']} patients, at original size.",
    ]
    return "\n".join(parts) + "\n"
