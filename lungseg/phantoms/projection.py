"""From anatomical coordinates to pixels, and shapes to smooth layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lungseg.phantoms.curves import Points

_FRACTION_BITS = 4


@dataclass(frozen=True, slots=True)
class Projection:
    """The film's pixels and how the patient lies on them."""

    height: int
    width: int
    matrix: np.ndarray
    """float64 (2, 3): anatomical (x, y, 1) to pixel (x, y)."""
    unit: float
    """Pixels per anatomical unit."""

    def pixels(self, points: Points) -> np.ndarray:
        """Fixed-point pixel coordinates, int32 (..., 2), as OpenCV draws them."""
        mapped = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.round(mapped * (1 << _FRACTION_BITS)).astype(np.int32)

    def canvas(self) -> np.ndarray:
        """An empty layer, uint8 (H, W)."""
        return np.zeros((self.height, self.width), np.uint8)

    def fill(self, canvas: np.ndarray, outline: Points, value: int, smooth: bool = True) -> None:
        """Fill a polygon; `smooth` draws an anti-aliased edge."""
        kind = cv2.LINE_AA if smooth else cv2.LINE_8
        cv2.fillPoly(canvas, [self.pixels(outline)], value, kind, _FRACTION_BITS)

    def stroke(
        self, canvas: np.ndarray, lines: Sequence[Points] | np.ndarray, value: float, width: float
    ) -> None:
        """Draw lines `width` anatomical units wide; thinner than a pixel means fainter.

        Lines of equal length are fastest as one array (lines, N, 2).
        """
        exact = width * self.unit
        thickness = max(1, round(exact))
        shade = int(value * min(1.0, exact / thickness))
        if isinstance(lines, np.ndarray):
            points = list(self.pixels(lines))
        else:
            points = [self.pixels(line) for line in lines]
        cv2.polylines(canvas, points, False, shade, thickness, cv2.LINE_AA, _FRACTION_BITS)

    def soften(self, layer: np.ndarray, sigma: float) -> np.ndarray:
        """Blur by `sigma` anatomical units; wide blurs are made at a reduced size."""
        pixels = sigma * self.unit
        if pixels < 0.3:
            return layer
        shrink = int(pixels // 4)
        if shrink < 2:
            return cv2.GaussianBlur(layer, (0, 0), pixels)
        small = (max(2, self.width // shrink), max(2, self.height // shrink))
        reduced = cv2.resize(layer, small, interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(reduced, (0, 0), pixels / shrink)
        return cv2.resize(blurred, (self.width, self.height), interpolation=cv2.INTER_LINEAR)

    def mask(self, outline: Points) -> np.ndarray:
        """Filled polygon without a soft edge, bool (H, W)."""
        canvas = self.canvas()
        self.fill(canvas, outline, 1, smooth=False)
        return canvas.astype(bool)

    def depth(self, inside: np.ndarray, radius: float) -> np.ndarray:
        """Thickness of a rounded body with this silhouette: 0 at its rim, 1 from `radius` inwards.

        Args:
            inside: bool (H, W).
            radius: anatomical units over which the body rounds off.

        Returns:
            float32 (H, W) in [0, 1].
        """
        padded = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
        rim = 1.0 - np.minimum(distance * np.float32(1.0 / (radius * self.unit)), 1.0)
        return cv2.sqrt(1.0 - rim * rim)


def project(
    height: int,
    width: int,
    *,
    unit: float,
    centre: tuple[float, float],
    tilt: float,
) -> Projection:
    """A projection with anatomical (0, 0) at pixel `centre`, turned by `tilt` radians."""
    cos, sin = unit * np.cos(tilt), unit * np.sin(tilt)
    matrix = np.array([[cos, -sin, centre[0]], [sin, cos, centre[1]]])
    return Projection(height, width, matrix, unit)
