"""A cleaned mask as the patient's left and right lung."""

from __future__ import annotations

import numpy as np

from lungseg.opencv import cv2


def sides(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Divide a mask of at most two parts.

    On a frontal film the patient's right lung is at the viewer's left. A single part that spans
    the middle of the film is two lungs that touch, and is cut at its narrowest column between the
    thirds of its width; any other single part is the lung of its half of the film.

    Args:
        mask: bool (H, W), post-processed.

    Returns:
        Left and right lung, bool (H, W), and the number of parts (0, 1 or 2).
    """
    nothing = np.zeros_like(mask)
    if not mask.any():
        return nothing, nothing, 0
    pixels = np.ascontiguousarray(mask).astype(np.uint8)
    row, column = divmod(int(pixels.argmax()), mask.shape[1])
    cv2.floodFill(pixels, None, (column, row), 2, flags=8)
    one, other = pixels == 2, pixels == 1
    if other.any():
        left, right = (one, other) if _centre(one) > _centre(other) else (other, one)
        return left, right, 2
    columns = np.flatnonzero(mask.any(axis=0))
    first, last, middle = int(columns[0]), int(columns[-1]) + 1, mask.shape[1] // 2
    share_left = float(mask[:, middle:].sum() / mask.sum())
    if not 0.2 < share_left < 0.8:
        return (mask, nothing, 1) if share_left > 0.5 else (nothing, mask, 1)
    third = (last - first) // 3
    heights = mask[:, first + third : max(last - third, first + third + 1)].sum(axis=0)
    left = mask.copy()
    left[:, : first + third + int(np.argmin(heights))] = False
    return left, mask & ~left, 1


def _centre(part: np.ndarray) -> float:
    """Mean column."""
    columns = part.sum(axis=0)
    return float(np.arange(columns.size) @ columns / columns.sum())
