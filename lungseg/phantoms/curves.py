"""Curves in the plane of the film, as arrays of points (N, 2) with columns x and y."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Points = np.ndarray
"""float64 (N, 2), x to the image right, y down."""


def spline(knots: Sequence[tuple[float, float]] | Points, *, closed: bool = False) -> Points:
    """The Catmull-Rom curve through the knots, eight points a segment."""
    p = np.asarray(knots, dtype=np.float64)
    padded = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([p[:1], p, p[-1:]])
    p0, p1, p2, p3 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0.0, 1.0, 8, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    points = curve.transpose(1, 0, 2).reshape(-1, 2)
    return points if closed else np.vstack([points, p[-1:]])


def band(centre: Points, width: float | np.ndarray) -> tuple[Points, Points]:
    """The two edges of a band around a curve, `width` apart (one number or one a point)."""
    tangent = np.gradient(centre, axis=0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    half = np.broadcast_to(np.asarray(width) / 2, len(centre))[:, None]
    return centre + normal * half, centre - normal * half


def outline(edges: tuple[Points, Points]) -> Points:
    """The closed polygon between the two edges of a band."""
    return np.vstack([edges[0], edges[1][::-1]])


def ellipse(centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0) -> Points:
    """A closed ellipse; the angle in radians turns it clockwise on the film."""
    t = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
    x, y = radii[0] * np.cos(t), radii[1] * np.sin(t)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos])


def mirrored(points: Points, side: int) -> Points:
    """A curve given for the patient's left (side 1), put on that side or on the right (-1)."""
    return points * np.array([side, 1.0])
