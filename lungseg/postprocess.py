"""Anatomy's say in a predicted mask: two lungs, without holes, nothing else."""

from __future__ import annotations

import numpy as np

from lungseg.opencv import cv2


def clean(mask: np.ndarray, *, min_area_fraction: float) -> np.ndarray:
    """Fill the holes and keep the two largest parts.

    One part is kept where the lungs touch, or where the second is below the smallest area. The
    largest part is kept however small it is, so that cleaning never empties a mask. Parts hold
    together at corners too; background is a hole if it cannot be left by steps along rows and
    columns. So the outer contours tell all, in a fifth of the time that labels would take.

    Args:
        mask: bool (H, W) at the film's own size.
        min_area_fraction: smallest area of the second part, as a fraction of the film.

    Returns:
        bool (H, W).
    """
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    contours, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    kept = sorted(contours, key=_order)[:2] if len(contours) > 1 else contours
    if len(kept) > 1 and _area(kept[1]) < min_area_fraction * mask.size:
        kept = kept[:1]
    cleaned = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(cleaned, kept, -1, 1, cv2.FILLED)
    return cleaned.view(bool)


def _area(contour: np.ndarray) -> float:
    """Pixels on and within a contour, whose polygon runs through the centres of its pixels.

    Pick's theorem; all steps are to neighbours, so that none passes by a centre.
    """
    steps = len(contour) if len(contour) > 1 else 0
    return float(cv2.contourArea(contour)) + steps / 2 + 1


def _order(contour: np.ndarray) -> tuple[float, int, int]:
    """The larger first; of equal ones the upper, then the left one, by its uppermost pixel."""
    column, row = contour[0, 0]
    return -_area(contour), int(row), int(column)
