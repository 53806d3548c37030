"""Anatomy's say in a predicted mask: two lungs, without holes, nothing else."""

from __future__ import annotations

import numpy as np

from lungseg.opencv import cv2


def clean(mask: np.ndarray, *, min_area_fraction: float) -> np.ndarray:
    """Fill the holes and keep the two largest parts.

    One part is kept where the lungs touch, or where the second is below the smallest area. The
    largest part is kept however small it is, so that cleaning never empties a mask.

    Args:
        mask: bool (H, W) at the film's own size.
        min_area_fraction: smallest area of the second part, as a fraction of the film.

    Returns:
        bool (H, W).
    """
    filled = _fill_holes(np.ascontiguousarray(mask).view(np.uint8))
    # OpenCV's own statistics of the parts would take ten times as long.
    count, labels = cv2.connectedComponents(filled, connectivity=8)
    if count <= 2:
        return filled.view(bool)
    areas = np.bincount(labels.ravel())
    first, second = 1 + np.argsort(-areas[1:], kind="stable")[:2]
    kept = labels == first
    if areas[second] >= min_area_fraction * mask.size:
        kept |= labels == second
    return kept


def _fill_holes(pixels: np.ndarray) -> np.ndarray:
    """Background is a hole if it cannot be left by steps along rows and columns."""
    framed = np.pad(pixels, 1)
    cv2.floodFill(framed, None, (0, 0), 2, flags=4)
    return (framed[1:-1, 1:-1] != 2).astype(np.uint8)
