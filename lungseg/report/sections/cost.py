"""Accuracy against parameters, arithmetic, speed and training time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lungseg.figures.cost import cost as draw_cost
from lungseg.figures.style import palette
from lungseg.report.gather import Gathered
from lungseg.report.run import Training
from lungseg.report.section import Section, Table, draw

_COSTS = {
    "parameters": ("Parameters [million]", 1e-6),
    "gflops": ("GFLOPs a film", 1.0),
    "images_per_second": ("Training speed [films/s]", 1.0),
    "seconds": ("Training time [min]", 1 / 60),
}


def cost(gathered: Gathered, summary: Mapping[str, Any]) -> Section | None:
    """One figure a kind of cost, and a table; means over the trainings of a model."""
    titles = gathered.titles
    costs = {
        name: {kind: _mean(gathered.trainings.get(name, []), kind) for kind in _COSTS}
        for name in gathered.models
    }
    dice = {name: summary["models"][name]["dice"] for name in gathered.models}
    scores = {titles[name]: (entry["mean"], *entry["ci95"]) for name, entry in dice.items()}
    colours = palette(list(titles.values()))
    pictures = []
    for kind, (label, scale) in _COSTS.items():
        known = {
            titles[name]: value * scale
            for name, own in costs.items()
            if (value := own[kind]) is not None
        }
        if known:
            told = ", ".join(f"{title} {value:.3g}" for title, value in known.items())
            figure = draw_cost(label, known, scores, colours)
            pictures.append(draw(f"cost-{kind}", f"Mean Dice over {label}: {told}", figure))
    if not pictures:
        return None
    rows = [
        [titles[name], f"{dice[name]['mean']:.4f}"]
        + [_text(own[kind], scale) for kind, (_, scale) in _COSTS.items()]
        for name, own in costs.items()
    ]
    header = ["Model", "Mean Dice", *(label for label, _ in _COSTS.values())]
    frame = pd.DataFrame(
        [{"model": name, "dice": dice[name]["mean"], **own} for name, own in costs.items()]
    )
    text = (
        "Speed and time were measured in training, on the hardware named at the end of this page."
    )
    table = Table("cost", "Accuracy and cost", frame, header, rows)
    return Section("cost", "Accuracy against cost", [text], [table], pictures)


def _mean(trainings: list[Training], kind: str) -> float | None:
    values = [{**one.info, **one.info.get("training", {})}.get(kind) for one in trainings]
    known = [float(value) for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _text(value: float | None, scale: float) -> str:
    return "–" if value is None else f"{value * scale:,.2f}"
