"""Pulmonary vessels: a random tree that branches out of each hilum."""

from __future__ import annotations

import numpy as np

from lungseg.phantoms.anatomy import RIGHT, Build

GENERATIONS = 5


def hilum(build: Build, side: int) -> tuple[float, float]:
    """Centre of a hilum; the left one stands a little higher."""
    s = build.height / 2.1
    return (-0.27, 0.92 * s) if side == RIGHT else (0.30, 0.84 * s)


def vessel_tree(build: Build, side: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Centre lines of one lung's vessels, (vessels, 7, 2) for each generation outwards."""
    up = rng.uniform(-1.25, -0.35, 3)
    down = rng.uniform(-0.2, 1.4, 6)
    heading = np.concatenate([up, down])
    start = np.array(hilum(build, side)) * (side, 1.0) + rng.normal(0.0, 0.04, (len(heading), 2))
    length = np.where(heading > 0.4, 0.34, 0.2) * rng.uniform(0.8, 1.2, len(heading))
    tree = []
    for _ in range(GENERATIONS):
        bend = rng.normal(0.0, 0.22, len(heading))
        angles = heading[:, None] + bend[:, None] * np.linspace(0.0, 1.0, 6)
        steps = np.stack([np.cos(angles), np.sin(angles)], axis=2) * (length / 6)[:, None, None]
        lines = start[:, None, :] + np.cumsum(steps, axis=1)
        lines = np.concatenate([start[:, None, :], lines], axis=1)
        tree.append(lines * (side, 1.0))
        spread = rng.uniform(0.18, 0.5, len(heading))
        start = np.repeat(lines[:, -1], 2, axis=0)
        turn = np.stack([spread, -spread * rng.uniform(0.4, 1.2, len(heading))], axis=1)
        heading = np.repeat(heading + bend, 2) + turn.ravel()
        length = np.repeat(length, 2) * rng.uniform(0.55, 0.9, len(heading))
    return tree
