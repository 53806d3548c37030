"""Masks and overlays as PNG files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lungseg import storage
from lungseg.figures.overlay import PREDICTION, outline, png
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
    square = film.square[film.geometry.content]
    scale = _LONGEST / max(square.shape)
    size = (round(square.shape[1] * scale), round(square.shape[0] * scale))
    shown = cv2.resize(square, size, interpolation=cv2.INTER_LINEAR)
    large = cv2.resize(small.view(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR) > 127
    picture = outline(shown, large, PREDICTION)
    if flags:
        band = np.zeros((24, picture.shape[1], 3), np.uint8)
        cv2.putText(
            band,
            ", ".join(flags),
            (6, 16),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.42,
            PREDICTION,
            1,
            cv2.LINE_AA,
        )
        picture = np.vstack([picture, band])
    storage.write_bytes(storage.join(folder, f"{film.image_id}.png"), png(picture))
