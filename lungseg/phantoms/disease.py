"""What disease adds inside the lungs; it stays within the mask."""

from __future__ import annotations

import cv2
import numpy as np

from lungseg.phantoms.anatomy import LEFT, RIGHT, Build
from lungseg.phantoms.curves import ellipse
from lungseg.phantoms.pose import Pose
from lungseg.phantoms.projection import Projection


def disease(
    build: Build, pose: Pose, projection: Projection, rng: np.random.Generator
) -> np.ndarray:
    """Attenuation of opacities and nodules where there is lung, float32 (H, W)."""
    parenchyma = 0.03 * cloud(projection, 0.05, rng) + 0.05 * cloud(projection, 0.25, rng)
    if pose.finding == "opacity":
        return parenchyma + _opacities(build, pose, projection, rng)
    if pose.finding == "nodule":
        return parenchyma + _nodules(build, pose, projection, rng)
    return parenchyma


def cloud(projection: Projection, grain: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise about zero with blobs of `grain` anatomical units, float32 (H, W).

    It has the same shape at every film size.
    """
    shape = (round(4 / grain), round(4 / grain))
    noise = rng.standard_normal(shape, dtype=np.float32)
    size = (projection.width, projection.height)
    return cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)


def _opacities(
    build: Build, pose: Pose, projection: Projection, rng: np.random.Generator
) -> np.ndarray:
    """Blurred patches with a mottled inside, on one side or on both."""
    canvas = projection.canvas()
    sides = (RIGHT, LEFT) if rng.random() < 0.4 else (pose.side,)
    for side in sides:
        for _ in range(rng.integers(1, 5)):
            centre = (side * rng.uniform(0.35, 0.85), rng.uniform(0.2, 0.9) * build.height)
            radii = (rng.uniform(0.08, 0.32), rng.uniform(0.08, 0.36))
            patch = ellipse(centre, radii, rng.uniform(0, np.pi))
            patch += rng.normal(0.0, 0.04, patch.shape)
            projection.fill(canvas, patch, int(rng.uniform(120, 255)))
    mottle = np.clip(0.9 + 0.2 * cloud(projection, 0.09, rng), 0.2, 1.5)
    soft = projection.soften(canvas, 0.06).astype(np.float32) / 255
    return soft * mottle * np.float32(rng.uniform(0.35, 0.95))


def _nodules(
    build: Build, pose: Pose, projection: Projection, rng: np.random.Generator
) -> np.ndarray:
    """One to three round shadows."""
    canvas = projection.canvas()
    for _ in range(rng.integers(1, 4)):
        centre = (pose.side * rng.uniform(0.35, 0.8), rng.uniform(0.15, 0.75) * build.height)
        radius = rng.uniform(0.03, 0.1)
        projection.fill(canvas, ellipse(centre, (radius, radius)), int(rng.uniform(150, 255)))
    return projection.soften(canvas, 0.012).astype(np.float32) * np.float32(0.6 / 255)
