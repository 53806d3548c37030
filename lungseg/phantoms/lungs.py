"""The lung fields of a film: what the mask shows and what the X-rays pass."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lungseg.phantoms.anatomy import LEFT, RIGHT, Build, chest_wall, mediastinum, pleura
from lungseg.phantoms.curves import Points, mirrored
from lungseg.phantoms.pose import Pose
from lungseg.phantoms.projection import Projection


@dataclass(frozen=True, slots=True)
class Lungs:
    """Areas of one film, each bool (H, W)."""

    cavity: np.ndarray
    """Both pleural cavities above the diaphragm, also behind the heart, without fluid."""
    recess: np.ndarray
    """The same with the part that hides behind the domes."""
    heart: np.ndarray
    """Heart and mediastinum."""
    fields: np.ndarray
    """The mask: the visible lung fields, heart excluded, two components."""


def outline_lungs(build: Build, pose: Pose, projection: Projection) -> Lungs:
    """Draw the lungs of a posed patient."""
    heart = projection.mask(mediastinum(build, pose.shift))
    cavity = projection.canvas().astype(bool)
    recess = cavity.copy()
    fields = cavity.copy()
    for side in (RIGHT, LEFT):
        lung = projection.mask(pleura(build, side))
        deep = projection.mask(pleura(build, side, lowered=0.22))
        if pose.finding == "effusion" and side == pose.side:
            fluid = projection.mask(_effusion(build, side, pose.fluid))
            lung &= ~fluid
            deep &= ~fluid
        cavity |= lung
        recess |= deep
        fields |= _largest_component(lung & ~heart)
    return Lungs(cavity, recess, heart, fields)


def _effusion(build: Build, side: int, level: float) -> Points:
    """Fluid at the base of one lung, its upper edge a meniscus that climbs the chest wall."""
    angle = chest_wall(build)[-1, 1]
    x = np.linspace(0.0, 1.2, 30)
    edge = np.column_stack([x, angle - level * (0.55 + 0.75 * x**3)])
    return mirrored(np.vstack([edge, [(1.2, angle + 1.0), (0.0, angle + 1.0)]]), side)


def _largest_component(area: np.ndarray) -> np.ndarray:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(area.astype(np.uint8), connectivity=8)
    return np.asarray(labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))
