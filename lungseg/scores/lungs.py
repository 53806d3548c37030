"""Left and right lung apart."""

from __future__ import annotations

import numpy as np

from lungseg.opencv import cv2

_SECOND_LUNG = 0.1  # a part smaller than this fraction of the largest is no lung but a speck


def lung_zones(reference: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Divide a film into the zones of the patient's left and right lung.

    Every pixel belongs to the nearer of the reference's two largest parts (8-connectivity). On a
    frontal film the patient's right lung is the one at the viewer's left.

    Args:
        reference: bool (H, W).

    Returns:
        Two bool (H, W), left and right, that add up to the film; None where the reference does
        not show two separate lungs.
    """
    pixels = np.ascontiguousarray(reference).view(np.uint8)
    _, labels, stats, centres = cv2.connectedComponentsWithStats(pixels, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.size < 2:
        return None
    first, second = 1 + np.argsort(-areas, kind="stable")[:2]
    if stats[second, cv2.CC_STAT_AREA] < _SECOND_LUNG * stats[first, cv2.CC_STAT_AREA]:
        return None
    right, left = sorted((int(first), int(second)), key=lambda label: float(centres[label, 0]))
    to_left, to_right = _distance(labels == left), _distance(labels == right)
    nearer_left = to_left < to_right
    return nearer_left, ~nearer_left


def _distance(lung: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform((~lung).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
