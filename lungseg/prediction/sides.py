"""A cleaned mask as the patient's left and right lung."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungseg.opencv import cv2


@dataclass(frozen=True, slots=True, eq=False)
class Lung:
    """One lung within the smallest box around it, which is most of a film's pixels less to see."""

    pixels: np.ndarray
    """bool (h, w); (0, 0) where there is no such lung."""
    top: int = 0
    left: int = 0

    def on_film(self, height: int, width: int) -> np.ndarray:
        """bool (height, width)."""
        film = np.zeros((height, width), bool)
        rows, columns = self.pixels.shape
        film[self.top : self.top + rows, self.left : self.left + columns] = self.pixels
        return film


_NONE = Lung(np.zeros((0, 0), bool))


def sides(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right lung of a mask, bool (H, W) each; see `lungs_of`."""
    left, right, _ = lungs_of(mask)
    height, width = mask.shape
    return left.on_film(height, width), right.on_film(height, width)


def lungs_of(mask: np.ndarray) -> tuple[Lung, Lung, int]:
    """Divide a mask of at most two parts.

    On a frontal film the patient's right lung is at the viewer's left. A single part that spans
    the middle of the film is two lungs that touch, and is cut at its narrowest column between the
    thirds of its width; any other single part is the lung of its half of the film.

    Args:
        mask: bool (H, W), post-processed (see `lungseg.postprocess`).

    Returns:
        Left and right lung, and the number of parts (0, 1 or 2).
    """
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    outlines, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return _NONE, _NONE, 0
    if len(outlines) > 1:
        at_left, at_right = sorted(map(_within, outlines), key=_centre)
        return at_right, at_left, 2
    whole = _within(outlines[0])
    area = np.count_nonzero(whole.pixels)
    share_left = float(np.count_nonzero(mask[:, mask.shape[1] // 2 :]) / area)
    if not 0.2 < share_left < 0.8:
        return (whole, _NONE, 1) if share_left > 0.5 else (_NONE, whole, 1)
    cut = _narrowest(whole.pixels)
    left, right = whole.pixels.copy(), whole.pixels.copy()
    left[:, :cut] = right[:, cut:] = False
    return _crop(left, whole), _crop(right, whole), 1


def _within(outline: np.ndarray) -> Lung:
    """The part of a mask within an outline; it has no holes."""
    column, row, width, height = cv2.boundingRect(outline)
    pixels = np.zeros((height, width), np.uint8)
    cv2.drawContours(pixels, [outline], 0, 1, cv2.FILLED, offset=(-column, -row))
    return Lung(pixels.view(bool), row, column)


def _crop(pixels: np.ndarray, box: Lung) -> Lung:
    """The smallest box around what is left in another one."""
    column, row, width, height = cv2.boundingRect(pixels.view(np.uint8))
    inner = np.ascontiguousarray(pixels[row : row + height, column : column + width])
    return Lung(inner, box.top + row, box.left + column)


def _narrowest(pixels: np.ndarray) -> int:
    """The column, between the thirds of the width, with the least lung."""
    third = pixels.shape[1] // 3
    last = max(pixels.shape[1] - third, third + 1)
    return third + int(np.argmin(pixels[:, third:last].sum(axis=0)))


def _centre(lung: Lung) -> float:
    """Mean column on the film."""
    pixels = lung.pixels.view(np.uint8)
    columns = cv2.reduce(pixels, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
    return lung.left + float(np.arange(columns.size) @ columns / columns.sum())
