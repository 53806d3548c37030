"""How the two lungs lie on the film: side by side, and the right way up."""

from __future__ import annotations

import math

import numpy as np

from lungseg.prediction.sides import Lung


def overlap_rows(left: Lung, right: Lung) -> float:
    """Common rows of the two lungs, as a fraction of the shorter one's height; NaN without two."""
    heights = len(left.pixels), len(right.pixels)
    if not min(heights):
        return math.nan
    top = max(left.top, right.top)
    bottom = min(left.top + heights[0], right.top + heights[1])
    return max(0, bottom - top) / min(heights)


def spread(left: Lung, right: Lung) -> float:
    """How much further outward the lungs' lower ends lie than their apices; NaN without two.

    The lowest eighth of each lung's rows is compared with the highest. Of the true masks of 250
    frontal films, one was below 0 (by 0.04), and of the same turned by 180° three were above.

    Returns:
        Mean over both lungs, in widths of the lung.
    """
    if not (left.pixels.size and right.pixels.size):
        return math.nan
    return (_outward(left.pixels) - _outward(right.pixels)) / 2


def _outward(pixels: np.ndarray) -> float:
    """Columns from the upper end's centre to the lower end's, in widths of the lung."""
    rows, width = pixels.shape
    height = max(1, rows // 8)
    upper, lower = pixels[:height].sum(axis=0), pixels[rows - height :].sum(axis=0)
    columns = np.arange(width)
    return float(columns @ lower / lower.sum() - columns @ upper / upper.sum()) / width
