"""Calibration and choice of the threshold, on the validation films."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lungseg.figures.calibration import reliability, threshold_curve
from lungseg.figures.style import palette
from lungseg.report.gather import Gathered
from lungseg.report.section import Section, Table, draw

_BINS = 16
_TEXTS = (
    "Both are of the validation films at the network's size; the threshold was frozen before the "
    "test.",
    "The expected calibration error is the mean gap between the probability a network gives and "
    "the part of such pixels that is lung, every film counting the same. Training keeps "
    "probabilities in bins of 1/64, so the error is known to about 0.008. Most pixels lie close "
    "to 0 or 1; the curve between speaks of the few along the boundary.",
)


def calibration(gathered: Gathered) -> Section | None:
    """Reliability and threshold curves, averaged over the trainings of a model."""
    titles = gathered.titles
    tables, chosen = {}, {}
    for name in gathered.models:
        trainings = [one for one in gathered.trainings.get(name, []) if one.calibration is not None]
        if trainings:
            both = pd.concat([one.calibration for one in trainings])
            tables[titles[name]] = both.groupby("threshold", as_index=False).mean()
            chosen[titles[name]] = float(np.mean([one.info["threshold"] for one in trainings]))
    if not tables:
        return None
    colours = palette(list(titles.values()))
    bins = {title: coarse_bins(table) for title, table in tables.items()}
    errors = {title: expected_error(table) for title, table in bins.items()}
    told = ", ".join(f"{title} {error:.4f}" for title, error in errors.items())
    pictures = [
        draw("calibration", f"Calibration; expected error: {told}", reliability(bins, colours)),
        draw(
            "threshold",
            "Mean validation Dice over the threshold; chosen: "
            + ", ".join(f"{title} {value:.2f}" for title, value in chosen.items()),
            threshold_curve(tables, chosen, colours),
        ),
    ]
    rows = [
        [
            title,
            f"{chosen[title]:.3f}",
            f"{_at(tables[title], chosen[title]):.4f}",
            f"{_at(tables[title], 0.5):.4f}",
            f"{errors[title]:.4f}",
        ]
        for title in tables
    ]
    header = ["Model", "Threshold", "Dice there", "Dice at 0.5", "Expected calibration error"]
    frame = pd.concat([table.assign(model=title) for title, table in tables.items()])
    table = Table("calibration", "Threshold stored with the model", frame, header, rows)
    return Section("calibration", "Calibration and threshold", _TEXTS, [table], pictures)


def coarse_bins(table: pd.DataFrame) -> pd.DataFrame:
    """Wider bins of predicted probability.

    Args:
        table: `calibration.csv`: lower edge `threshold` of each bin, `upper`, `pixels` and
            `positives` in it.

    Returns:
        `probability` (centre of the pixels), `fraction` of lung, `weight` (part of all pixels);
        empty bins left out.
    """
    bins = np.minimum(table["threshold"] * _BINS, _BINS - 1).astype(int)
    centre = (table["threshold"] + table["upper"]) / 2 * table["pixels"]
    sums = pd.DataFrame(
        {"pixels": table["pixels"], "positives": table["positives"], "centre": centre}
    ).groupby(bins).sum()  # fmt: skip
    sums = sums[sums["pixels"] > 0]
    return pd.DataFrame(
        {
            "probability": sums["centre"] / sums["pixels"],
            "fraction": sums["positives"] / sums["pixels"],
            "weight": sums["pixels"] / sums["pixels"].sum(),
        }
    ).reset_index(drop=True)


def expected_error(bins: pd.DataFrame) -> float:
    """Expected calibration error (Naeini 2015, AAAI): mean gap, weighted by pixels."""
    return float(((bins["probability"] - bins["fraction"]).abs() * bins["weight"]).sum())


def _at(table: pd.DataFrame, threshold: float) -> float:
    return float(np.interp(threshold, table["threshold"], table["mean_dice"]))
