"""Pictures of a case: film, reference, a model's mask and where it errs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lungseg.opencv import cv2

REFERENCE = (255, 255, 255)
PREDICTION = (240, 228, 66)
FALSE_POSITIVE = (213, 94, 0)
FALSE_NEGATIVE = (86, 180, 233)
"""RGB. False positive and false negative stay apart for the colour-blind and in grey print."""


def fit(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """A film or mask at the size it is shown; a mask pixel is lung where most of its area is.

    Args:
        image: uint8 or bool (H, W).
    """
    if image.dtype == bool:
        return fit(image.astype(np.uint8) * 255, height, width) > 127
    shrinks = height < image.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=how)


def outline(film: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The film with the mask's boundary drawn.

    Args:
        film: uint8 (h, w).
        mask: bool (h, w).

    Returns:
        uint8 (h, w, 3) RGB.
    """
    return _draw(np.repeat(film[..., None], 3, axis=2), mask, colour)


def errors(film: np.ndarray, prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The dimmed film with false positives and negatives in their colours, and the reference.

    Args:
        film: uint8 (h, w).
        prediction, reference: bool (h, w).

    Returns:
        uint8 (h, w, 3) RGB.
    """
    picture = np.repeat((film[..., None] * 0.6).astype(np.uint8), 3, axis=2)
    picture[prediction & ~reference] = FALSE_POSITIVE
    picture[reference & ~prediction] = FALSE_NEGATIVE
    return _draw(picture, reference, REFERENCE)


def _draw(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    picture = np.ascontiguousarray(picture)
    cv2.drawContours(picture, lines, -1, colour, 1)
    return picture


def panels(
    film: np.ndarray, reference: np.ndarray, predictions: Mapping[str, np.ndarray], longest: int
) -> dict[str, np.ndarray]:
    """All pictures of a case in the order they are shown.

    Args:
        film: uint8 (h, w), the letterbox without its padding.
        reference: bool (H, W) at original size.
        predictions: bool (H, W) by title of the model.
        longest: longer side of the pictures in px.

    Returns:
        RGB pictures by caption: "Film", "Reference", then "… mask" and "… errors" a model.
    """
    scale = longest / max(reference.shape)
    height, width = (max(1, round(side * scale)) for side in reference.shape)
    film, reference = fit(film, height, width), fit(reference, height, width)
    pictures = {
        "Film": np.repeat(film[..., None], 3, axis=2),
        "Reference": outline(film, reference, REFERENCE),
    }
    for title, prediction in predictions.items():
        mask = fit(prediction, height, width)
        pictures[f"{title} mask"] = outline(film, mask, PREDICTION)
        pictures[f"{title} errors"] = errors(film, mask, reference)
    return pictures


def png(picture: np.ndarray) -> bytes:
    """uint8 (h, w, 3) RGB or (h, w) as a PNG file."""
    pixels = picture[..., ::-1] if picture.ndim == 3 else picture
    _, data = cv2.imencode(".png", np.ascontiguousarray(pixels), [cv2.IMWRITE_PNG_COMPRESSION, 6])
    return data.tobytes()


def side_by_side(pictures: Mapping[str, np.ndarray]) -> np.ndarray:
    """The pictures of a case as one, two rows: film, masks over reference, errors."""
    ordered = list(pictures.values())
    rows = [np.hstack(ordered[start::2]) for start in (0, 1)]
    return np.vstack(rows)
