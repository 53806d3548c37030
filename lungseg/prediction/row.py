"""From the network's output for a film to its row in the table of predictions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lungseg import rle
from lungseg.letterbox import restore
from lungseg.opencv import cv2
from lungseg.postprocess import clean
from lungseg.prediction.ensemble import Finish
from lungseg.prediction.film import Film
from lungseg.prediction.flags import flags
from lungseg.prediction.orientation import overlap_rows, spread
from lungseg.prediction.sides import sides


def finish_film(
    film: Film, probability: np.ndarray, agreement: float, how: Finish, low_agreement: float
) -> tuple[dict[str, Any], np.ndarray]:
    """Restore the mask at the film's own size and describe it.

    Args:
        film: as prepared for the network.
        probability: float32 (size, size).
        agreement: of the models, NaN for one.
        how: threshold and post-processing.
        low_agreement: below it the film is flagged.

    Returns:
        The row (see `lungseg.prediction.parts.SCHEMA`) and the mask, bool (H, W).
    """
    raw = restore(probability, film.geometry) > how.threshold
    mask = clean(raw, min_area_fraction=how.min_area_fraction)
    left, right, parts = sides(mask)
    inside, border, contrast = _look(film, probability, mask)
    areas = {"left": int(np.count_nonzero(left)), "right": int(np.count_nonzero(right))}
    total = sum(areas.values())
    row, column = film.spacing_mm or (math.nan, math.nan)
    facts: dict[str, Any] = {
        "image_id": film.image_id,
        "path": film.path,
        "height": mask.shape[0],
        "width": mask.shape[1],
        "spacing_row": row,
        "spacing_column": column,
        "left_rle": rle.encode(left),
        "right_rle": rle.encode(right),
        "area_left": areas["left"],
        "area_right": areas["right"],
        "area_fraction_left": areas["left"] / mask.size,
        "area_fraction_right": areas["right"] / mask.size,
        "parts": parts,
        "probability_inside": inside,
        "probability_border": border,
        "removed": int(np.count_nonzero(raw & ~mask)),
        "filled": int(np.count_nonzero(mask & ~raw)),
        "agreement": agreement,
        "model": how.fingerprint,
    }
    changed = (facts["removed"] + facts["filled"]) / max(total, 1)
    judged = facts | {
        "changed": changed,
        "contrast": contrast,
        "coloured": film.coloured,
        "lateral": film.lateral,
        "overlap_rows": overlap_rows(left, right),
        "spread": spread(left, right),
    }
    facts["flags"] = flags(judged, low_agreement)
    return facts, mask


def _look(film: Film, probability: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """Mean probability inside and at the border, and how much brighter the surroundings are.

    At the network's size, where all three cost nothing.
    """
    where, size = film.geometry.content, film.geometry.size
    small = np.zeros((size, size), np.uint8)
    shape = (film.geometry.scaled_width, film.geometry.scaled_height)
    small[where] = cv2.resize(mask.view(np.uint8), shape, interpolation=cv2.INTER_NEAREST)
    reach = max(3, size // 16)
    wide = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    edge = (small - cv2.erode(small, np.ones((3, 3), np.uint8))).astype(bool)
    within = np.zeros(small.shape, bool)
    within[where] = True
    lung, ring = small.astype(bool), (wide > small) & within
    if not lung.any():
        return math.nan, math.nan, math.nan
    around = float(film.square[ring].mean()) if ring.any() else math.nan
    return (
        float(probability[lung].mean()),
        float(probability[edge].mean()),
        around - float(film.square[lung].mean()),
    )
