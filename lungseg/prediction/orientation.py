"""How the two lungs lie on the film: side by side, and the right way up."""

from __future__ import annotations

import math

import numpy as np


def overlap_rows(left: np.ndarray, right: np.ndarray) -> float:
    """Common rows of the two lungs, as a fraction of the shorter one's height; NaN without two.

    Args:
        left: bool (H, W), the patient's left lung.
        right: bool (H, W).
    """
    rows = [lung.any(axis=1) for lung in (left, right)]
    shorter = min(int(np.count_nonzero(one)) for one in rows)
    return int(np.count_nonzero(rows[0] & rows[1])) / shorter if shorter else math.nan


def spread(left: np.ndarray, right: np.ndarray) -> float:
    """How much further outward the lungs' lower ends lie than their apices; NaN without two.

    The lowest eighth of each lung's rows is compared with the highest. Of the true masks of 250
    frontal films, one was below 0 (by 0.04), and of the same turned by 180° three were above.

    Returns:
        Mean over both lungs, in widths of the lung.
    """
    if not (left.any() and right.any()):
        return math.nan
    return (_outward(left) - _outward(right)) / 2


def _outward(lung: np.ndarray) -> float:
    """Columns from the upper end's centre to the lower end's, in widths of the lung."""
    rows = np.flatnonzero(lung.any(axis=1))
    height = max(1, len(rows) // 8)
    upper = lung[rows[0] : rows[0] + height].sum(axis=0)
    lower = lung[rows[-1] + 1 - height : rows[-1] + 1].sum(axis=0)
    columns = np.arange(lung.shape[1])
    width = int(np.ptp(np.flatnonzero(lung.any(axis=0)))) + 1
    return float(columns @ lower / lower.sum() - columns @ upper / upper.sum()) / width
