"""Fit a film into the network's square without distorting it, and find the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungseg.opencv import cv2

_HALF, _EXACT = 127, 64
"""Of a lung pixel's level half is whole, and one pixel of so many changes a mean by 4 levels."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a film of `height` × `width` lies in its letterbox of `size` × `size` (all px)."""

    height: int
    width: int
    size: int
    scaled_height: int
    scaled_width: int
    top: int
    left: int

    @classmethod
    def fit(cls, height: int, width: int, size: int) -> Geometry:
        """Scale the longer side to `size`, keep the aspect ratio, centre the shorter side."""
        scale = size / max(height, width)
        scaled_height = max(1, min(size, round(height * scale)))
        scaled_width = max(1, min(size, round(width * scale)))
        top, left = (size - scaled_height) // 2, (size - scaled_width) // 2
        return cls(height, width, size, scaled_height, scaled_width, top, left)

    @property
    def content(self) -> tuple[slice, slice]:
        """The film's rows and columns within the square."""
        return (
            slice(self.top, self.top + self.scaled_height),
            slice(self.left, self.left + self.scaled_width),
        )


def letterbox(image: np.ndarray, size: int) -> tuple[np.ndarray, Geometry]:
    """Fit an image into a square, padded with black.

    Args:
        image: uint8 (H, W).
        size: side of the square in px.

    Returns:
        uint8 (size, size) and the geometry that leads back.
    """
    height, width = image.shape
    geometry = Geometry.fit(height, width, size)
    shrinks = geometry.scaled_height < height or geometry.scaled_width < width
    scaled = cv2.resize(
        image,
        (geometry.scaled_width, geometry.scaled_height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    square = np.zeros((size, size), np.uint8)
    square[geometry.content] = scaled
    return square, geometry


def letterbox_mask(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Fit a mask into the square of its image.

    Args:
        mask: bool (H, W) of the geometry's original size.

    Returns:
        bool (size, size); a pixel is lung where at least half of its area is.
    """
    square = np.zeros((geometry.size, geometry.size), bool)
    height, width = geometry.scaled_height, geometry.scaled_width
    if height < geometry.height or width < geometry.width:
        square[geometry.content] = _half_covered(np.asarray(mask, bool), height, width)
    else:
        plain = mask.astype(np.uint8)
        square[geometry.content] = cv2.resize(
            plain, (width, height), interpolation=cv2.INTER_NEAREST
        )
    return square


def _half_covered(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which cells of a coarser grid lie in the mask with at least half of their area, exactly.

    Args:
        mask: bool (H, W).
        height: cells down, at most H.
        width: cells across, at most W.

    Returns:
        bool (height, width).
    """
    rows, columns = mask.shape
    if rows % height == 0 and columns % width == 0 and rows * columns <= _EXACT * height * width:
        plain = np.ascontiguousarray(mask).view(np.uint8) * np.uint8(2 * _HALF)
        return cv2.resize(plain, (width, height), interpolation=cv2.INTER_AREA) >= _HALF
    return _half_covered_by_runs(mask, height, width)


def _half_covered_by_runs(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """The same for any grid.

    Only the ends of the runs of each row are looked at, which for large films takes a quarter of
    the time of averaging all pixels. All lengths are whole numbers: rows in units of 1/height of a
    pixel, columns of 1/width, so that the result is exact.
    """
    rows, columns = mask.shape
    ends = np.empty((rows, columns + 1), bool)
    ends[:, 0], ends[:, -1] = mask[:, 0], mask[:, -1]
    np.not_equal(mask[:, 1:], mask[:, :-1], out=ends[:, 1:-1])
    row, column = np.divmod(np.flatnonzero(ends), columns + 1)
    sign = 1 - 2 * (np.arange(row.size) % 2)
    # A row of pixels lies in one row of cells or two; a run covers the rest of the cell it begins
    # in and all of those after it, until its end takes the same away.
    above, across = row * height // rows, column * width // columns
    share = np.minimum((above + 1) * rows - row * height, height)
    rest = (across + 1) * columns - column * width
    line = width + 2
    cell = above * line + across
    weights = [
        sign * part * covered
        for part in (share, height - share)
        for covered in (rest, columns - rest)
    ]
    cells = np.concatenate([cell, cell + 1, cell + line, cell + line + 1])
    steps = np.bincount(cells, np.concatenate(weights), minlength=(height + 1) * line)
    area = steps.reshape(-1, line)[:height, :width].cumsum(axis=1)
    return np.asarray(2 * area >= rows * columns)


def restore(probabilities: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Bring the network's output back to the film's own pixels.

    Thresholding comes after: a mask thresholded before would lose about 0.4 % Dice.

    Args:
        probabilities: float32 (size, size), 0…1.

    Returns:
        float32 (H, W), bilinear.
    """
    content = np.ascontiguousarray(probabilities[geometry.content], np.float32)
    return cv2.resize(content, (geometry.width, geometry.height), interpolation=cv2.INTER_LINEAR)
