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
from lungseg.prediction.sides import lungs_of


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
    height, width = mask.shape
    left, right, parts = lungs_of(mask)
    inside, border, contrast = _look(film, probability, mask)
    area_left, area_right = (int(np.count_nonzero(lung.pixels)) for lung in (left, right))
    total = area_left + area_right
    common = int(np.count_nonzero(raw & mask))
    row, column = film.spacing_mm or (math.nan, math.nan)
    facts: dict[str, Any] = {
        "image_id": film.image_id,
        "path": film.path,
        "height": height,
        "width": width,
        "spacing_row": row,
        "spacing_column": column,
        "left_rle": rle.encode_within(left.pixels, left.top, left.left, width),
        "right_rle": rle.encode_within(right.pixels, right.top, right.left, width),
        "area_left": area_left,
        "area_right": area_right,
        "area_fraction_left": area_left / mask.size,
        "area_fraction_right": area_right / mask.size,
        "parts": parts,
        "probability_inside": inside,
        "probability_border": border,
        "removed": int(np.count_nonzero(raw)) - common,
        "filled": total - common,
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
    geometry = film.geometry
    shape = (geometry.scaled_width, geometry.scaled_height)
    lung = cv2.resize(mask.view(np.uint8), shape, interpolation=cv2.INTER_NEAREST)
    left, top, width, height = cv2.boundingRect(lung)
    if not width:
        return math.nan, math.nan, math.nan
    reach = max(3, geometry.size // 16)
    near = (
        slice(max(0, top - reach), top + height + reach),
        slice(max(0, left - reach), left + width + reach),
    )
    lung = lung[near]
    grey, probability = film.square[geometry.content][near], probability[geometry.content][near]
    ring = cv2.dilate(lung, np.ones((reach, reach), np.uint8)) - lung
    edge = lung - cv2.erode(lung, np.ones((3, 3), np.uint8), borderValue=0)
    return _mean(probability, lung), _mean(probability, edge), _mean(grey, ring) - _mean(grey, lung)


def _mean(values: np.ndarray, mask: np.ndarray) -> float:
    """Mean within a mask, NaN in an empty one; in half the time of `cv2.mean`."""
    count = cv2.countNonZero(mask)
    return cv2.sumElems(cv2.copyTo(values, mask))[0] / count if count else math.nan
