"""Bones of a phantom as centre lines and outlines, in the coordinates of `anatomy`."""

from __future__ import annotations

import numpy as np

from lungseg.phantoms.anatomy import Build, wall_x
from lungseg.phantoms.curves import Points, ellipse, mirrored, spline

RIBS = 11


def rib(build: Build, number: int, side: int) -> tuple[Points, Points]:
    """Posterior and anterior half of a rib (number 0 is the first) as centre lines.

    A rib is about an ellipse in a plane that falls forwards. Seen from the front it leaves the
    spine level, turns down at the chest wall and returns, lower, towards the sternum.
    """
    spacing = (build.height + 0.12) / (RIBS + 0.5)
    start = 0.0 + spacing * number - 0.04
    fall = build.rib_slope * (0.6 + 0.55 * min(number / 6, 1.0))
    half_width = float(wall_x(build, np.array([start + fall]))[0]) + 0.035
    if number == 0:
        half_width = 0.58
    back = np.linspace(np.pi / 2 - 0.12, 0.0, 20)
    front = np.linspace(0.0, -np.pi / 2 + 0.62, 16)
    halves = []
    for angle in (back, front):
        y = start + fall * (1 - np.sin(angle)) - 0.05 * np.sin(2 * angle).clip(0)
        halves.append(mirrored(np.column_stack([half_width * np.cos(angle), y]), side))
    return halves[0], halves[1]


def clavicle(build: Build, side: int, lift: float) -> Points:
    """Centre line of a clavicle; `lift` raises its medial end against the lung apex."""
    s = build.shoulder
    knots = [
        (0.11, 0.36 - lift),
        (0.30, 0.29 - lift),
        (0.58, 0.15 - lift / 2 + s / 2),
        (0.88, 0.02 + s),
        (1.12, -0.01 + s),
        (1.30, 0.03 + s),
    ]
    return mirrored(spline(knots), side)


def scapula(build: Build, side: int, medial: float) -> Points:
    """Outline of a shoulder blade; `medial` moves its inner border over the lung."""
    s = build.shoulder
    inner = 1.02 - medial
    knots = [
        (1.30, 0.20 + s),
        (1.12, 0.16 + s),
        (inner, 0.12 + s),
        (inner - 0.04, 0.45),
        (inner + 0.05, 0.85),
        (inner + 0.12, 0.98),
        (inner + 0.17, 0.82),
        (1.22, 0.46 + s),
        (1.32, 0.36 + s),
    ]
    return mirrored(spline(knots, closed=True), side)


def humerus(build: Build, side: int, abduction: float) -> tuple[Points, Points]:
    """Outline of the humeral head and centre line of the shaft."""
    s = build.shoulder
    head = ellipse((side * 1.42, 0.24 + s), (0.155, 0.17))
    shaft = spline([(1.47, 0.3 + s), (1.56 + 0.3 * abduction, 0.9), (1.70 + abduction, 2.2)])
    return head, mirrored(shaft, side)


def vertebrae(build: Build) -> list[tuple[float, float, float]]:
    """Middle height, half width and half height of each vertebral body seen."""
    bodies = []
    y, step = -0.95, 0.135
    while y < build.height + 1.0:
        half_width = 0.105 + 0.022 * max(y, 0.0)
        bodies.append((y, half_width, 0.43 * step))
        y += step
        step *= 1.035
    return bodies
