"""Fit a film into the network's square without distorting it, and find the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungseg.opencv import cv2


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
    target = (geometry.scaled_width, geometry.scaled_height)
    shrinks = geometry.scaled_height < geometry.height or geometry.scaled_width < geometry.width
    area = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    bright = np.ascontiguousarray(mask, bool).view(np.uint8) * np.uint8(255)
    scaled = cv2.resize(bright, target, interpolation=area)
    square[geometry.content] = scaled > 127
    return square


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
