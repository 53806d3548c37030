"""All scores of one case."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lungseg.scores.boundary import boundary_scores
from lungseg.scores.counts import count
from lungseg.scores.lungs import lung_zones
from lungseg.scores.overlap import overlap


def score_case(
    prediction: np.ndarray, reference: np.ndarray, spacing_mm: tuple[float, float] | None = None
) -> dict[str, Any]:
    """Score a predicted mask against the reference at the film's own size.

    Args:
        prediction: bool (H, W).
        reference: bool (H, W), not empty.
        spacing_mm: (row, column) spacing of the pixels; None or NaN if unknown.

    Returns:
        `tp, fp, fn, tn`; the scores of `overlap` and `boundary_scores`; `left_dice`, `left_iou`,
        `right_dice`, `right_iou` (NaN where the reference does not show two separate lungs) with
        their counts `left_tp, left_fp, left_fn`, … (-1 then); `failed`, True for an empty
        prediction.

    Raises:
        ValueError: the masks differ in size or the reference is empty.
    """
    if not reference.any():
        raise ValueError("the reference mask is empty: such a case is rejected before scoring")
    counts = count(prediction, reference)
    known = spacing_mm is not None and all(math.isfinite(side) and side > 0 for side in spacing_mm)
    return {
        **counts,
        **overlap(**counts),
        **boundary_scores(prediction, reference, spacing_mm if known else None),
        **_lung_scores(prediction, reference),
        "failed": not prediction.any(),
    }


def _lung_scores(prediction: np.ndarray, reference: np.ndarray) -> dict[str, float | int]:
    shown = _bounding_box(prediction | reference)  # outside of it is nothing to count
    prediction, reference = prediction[shown], reference[shown]
    zones = lung_zones(reference)
    scores: dict[str, float | int] = {}
    for index, side in enumerate(("left", "right")):
        if zones is None:
            scores |= {f"{side}_tp": -1, f"{side}_fp": -1, f"{side}_fn": -1}
            scores |= {f"{side}_dice": math.nan, f"{side}_iou": math.nan}
            continue
        zone = zones[index]
        counts = count(prediction & zone, reference & zone)
        values = overlap(**counts)
        scores |= {f"{side}_{name}": counts[name] for name in ("tp", "fp", "fn")}
        scores |= {f"{side}_{name}": values[name] for name in ("dice", "iou")}
    return scores


def _bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
