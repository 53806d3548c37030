"""What a network sees of a film: the same steps for shards, training and prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lungseg.letterbox import Geometry, letterbox
from lungseg.opencv import cv2

_TILES = (8, 8)


def network_input(film: np.ndarray, size: int, clahe: float = 0.0) -> tuple[np.ndarray, Geometry]:
    """Fit a film into the network's square and, if asked, equalise its contrast.

    CLAHE (Zuiderveld 1994, Graphics Gems IV) of 8×8 tiles is applied after the scaling, to the film
    without the padding around it.

    Args:
        film: uint8 (H, W).
        size: side of the square in px.
        clahe: clip limit of OpenCV's CLAHE; 0 leaves the contrast alone.

    Returns:
        uint8 (size, size) and the geometry that leads back.
    """
    square, geometry = letterbox(film, size)
    if clahe:
        content = np.ascontiguousarray(square[geometry.content])
        square[geometry.content] = cv2.createCLAHE(clahe, _TILES).apply(content)
    return square, geometry


def preprocessing(clahe: float) -> dict[str, Any]:
    """The entry `preprocessing` of `segmenter.json`."""
    return {"letterbox": "black", "clahe": clahe, "scale": "uint8 / 255"}


def clahe_of(segmenter: Mapping[str, Any]) -> float:
    """The clip limit that a model was trained with, from its `segmenter.json`."""
    return float(segmenter.get("preprocessing", {}).get("clahe", 0.0))
