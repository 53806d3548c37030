"""Masks and overlays as PNG files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lungseg import storage
from lungseg.figures.overlay import PREDICTION, fit, outline, png
from lungseg.letterbox import letterbox_mask
from lungseg.opencv import cv2
from lungseg.prediction.film import Film

_LONGEST = 512


def write_mask(folder: str, image_id: str, mask: np.ndarray) -> None:
    """The mask, bool (H, W), as 0 and 255 at the film's own size."""
    storage.write_bytes(storage.join(folder, f"{image_id}.png"), png(mask.view(np.uint8) * 255))


def write_overlay(folder: str, film: Film, mask: np.ndarray, flags: Sequence[str]) -> None:
    """The film as the network saw it with the mask's outline, and its flags below."""
    small = letterbox_mask(mask, film.geometry)[film.geometry.content]
    picture = overlay(film.square[film.geometry.content], small, flags)
    storage.write_bytes(storage.join(folder, f"{film.image_id}.png"), png(picture))


def overlay(film: np.ndarray, mask: np.ndarray, flags: Sequence[str] = ()) -> np.ndarray:
    """A film with the mask's outline, 512 px on its longer side.

    Args:
        film: uint8 (h, w).
        mask: bool (h, w).
        flags: written below the film.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    scale = _LONGEST / max(film.shape)
    height, width = (max(1, round(side * scale)) for side in film.shape)
    picture = outline(fit(film, height, width), fit(mask, height, width), PREDICTION)
    if not flags:
        return picture
    band = np.zeros((24, width, 3), np.uint8)
    text = ", ".join(flags)
    cv2.putText(band, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, PREDICTION, 1, cv2.LINE_AA)
    return np.vstack([picture, band])
