"""X-ray attenuation along each ray: the body's layers, added up."""

from __future__ import annotations

import numpy as np

from lungseg.phantoms import anatomy, skeleton
from lungseg.phantoms.anatomy import LEFT, RIGHT, Build
from lungseg.phantoms.curves import Points, band, ellipse, mirrored, outline
from lungseg.phantoms.disease import disease
from lungseg.phantoms.lungs import Lungs
from lungseg.phantoms.pose import Pose
from lungseg.phantoms.projection import Projection
from lungseg.phantoms.vessels import hilum, vessel_tree

SIDES = (RIGHT, LEFT)


def attenuate(
    build: Build, pose: Pose, projection: Projection, lungs: Lungs, rng: np.random.Generator
) -> np.ndarray:
    """Attenuation of a film, float32 (H, W), 0 beside the patient and about 2.5 in the belly."""
    soft = _body(build, pose, projection, rng)
    air = projection.depth(lungs.cavity, 0.3)
    air = 0.86 * air + 0.14 * projection.soften(projection.depth(lungs.recess, 0.6), 0.02)
    heart = projection.depth(lungs.heart, 0.3)
    blocked = projection.soften(0.93 * heart, 0.008)
    aerated = air * (1 - blocked)
    bones = _ribs(build, pose, projection, rng) * (0.35 + 0.65 * air)
    bones += _shoulders(build, pose, projection) + _spine(build, pose, projection)
    inner = _vessels(build, projection, rng) + disease(build, pose, projection, rng)
    emptiness = 0.74 - 0.16 * projection.soften(lungs.heart.astype(np.float32), 0.25)
    soft *= 1 - emptiness * aerated
    return soft + bones + inner * aerated - _airways(build, pose, projection, rng)


def _body(build: Build, pose: Pose, projection: Projection, rng: np.random.Generator) -> np.ndarray:
    trunk = projection.depth(projection.mask(anatomy.torso(build)), 0.45 + build.fat / 2)
    rows = (np.arange(projection.height, dtype=np.float32) - projection.matrix[1, 2]) / (
        projection.unit * build.height
    )
    heights = [-0.4, 0.0, 0.3, 0.75, 1.0, 1.4]
    thickness = np.interp(rows, heights, [0.95, 1.25, 1.75, 2.0, 2.45, 2.5])
    body = trunk * (thickness * (0.94 + 0.35 * build.fat)).astype(np.float32)[:, None]
    limbs = projection.canvas()
    for side in SIDES:
        projection.fill(limbs, anatomy.arm(build, side, pose.abduction), 255)
    arms = 1.1 * projection.depth(limbs > 127, 0.35)
    body = np.maximum(body, arms) + 0.25 * np.minimum(body, arms)
    if build.sex == "F":
        size = rng.uniform(0.0, 1.0)
        for side in SIDES:
            shape = projection.mask(anatomy.breast(build, side, size))
            gland = projection.depth(shape, 0.5) * np.float32(0.12 + 0.28 * size)
            body += projection.soften(gland, 0.03) * (trunk > 0)
    return projection.soften(body, 0.012)


def _layer(projection: Projection, canvas: np.ndarray, weight: float, sigma: float) -> np.ndarray:
    return projection.soften(canvas, sigma).astype(np.float32) * np.float32(weight / 255)


def _ribs(build: Build, pose: Pose, projection: Projection, rng: np.random.Generator) -> np.ndarray:
    contrast = build.bone * rng.uniform(0.7, 1.25)
    back, front = projection.canvas(), projection.canvas()
    for side in SIDES:
        for number in range(skeleton.RIBS):
            posterior, anterior = skeleton.rib(build, number, side)
            _bone(projection, back, posterior, np.linspace(0.095, 0.06, len(posterior)), 120, 220)
            if number < 8:
                width = np.linspace(0.06, 0.135, len(anterior))
                _bone(projection, front, anterior, width, 120, 170)
        projection.stroke(front, [mirrored(anatomy.chest_wall(build)[16:], side)], 200, 0.035)
    layer = _layer(projection, back, 0.42 * contrast, 0.006)
    return layer + _layer(projection, front, 0.24 * contrast, 0.012)


def _shoulders(build: Build, pose: Pose, projection: Projection) -> np.ndarray:
    canvas = projection.canvas()
    for side in SIDES:
        blade = skeleton.scapula(build, side, pose.scapula)
        projection.fill(canvas, blade, 55)
        projection.stroke(canvas, [np.vstack([blade, blade[:1]])], 95, 0.03)
        head, shaft = skeleton.humerus(build, side, pose.abduction)
        _bone(projection, canvas, shaft, 0.17, 80, 140)
        projection.fill(canvas, head, 110)
        clavicle = skeleton.clavicle(build, side, pose.clavicle)
        _bone(projection, canvas, clavicle, np.linspace(0.115, 0.075, len(clavicle)), 120, 185)
    return _layer(projection, canvas, 0.6 * build.bone, 0.009)


def _bone(
    projection: Projection,
    canvas: np.ndarray,
    centre: Points,
    width: float | np.ndarray,
    marrow: int,
    cortex: int,
) -> None:
    edges = band(centre, width)
    projection.fill(canvas, outline(edges), marrow)
    projection.stroke(canvas, edges, cortex, 0.014)


def _spine(build: Build, pose: Pose, projection: Projection) -> np.ndarray:
    canvas = projection.canvas()
    for y, half_width, half_height in skeleton.vertebrae(build):
        x = pose.shift / 3
        corners = np.array([(-1, -1), (0, -0.86), (1, -1), (0.9, 0), (1, 1), (0, 0.86), (-1, 1)])
        body = np.vstack([corners, [(-0.9, 0)]]) * (half_width, half_height) + (x, y)
        projection.fill(canvas, body, 150)
        projection.stroke(canvas, [np.vstack([body, body[:1]])], 185, 0.012)
        for side in SIDES:
            pedicle = ellipse((x + side * half_width * 0.55, y), (0.022, 0.032))
            projection.stroke(canvas, [pedicle], 215, 0.014)
            process = np.array(
                [(x + side * half_width, y), (x + side * half_width * 1.75, y - 0.03)]
            )
            projection.stroke(canvas, [process], 40, 0.06)
    return _layer(projection, canvas, 0.5 * build.bone, 0.013)


def _vessels(build: Build, projection: Projection, rng: np.random.Generator) -> np.ndarray:
    canvas = projection.canvas()
    for side in SIDES:
        generations = vessel_tree(build, side, rng)
        for generation, lines in reversed(list(enumerate(generations))):
            projection.stroke(canvas, lines, 230 * 0.82**generation, 0.032 * 0.68**generation)
    fine = _layer(projection, canvas, rng.uniform(0.22, 0.36), 0.005)
    hila = projection.canvas()
    for side in SIDES:
        x, y = hilum(build, side)
        projection.fill(hila, ellipse((x, y), (0.10, 0.19), -side * 0.25), 255)
    return fine + _layer(projection, hila, 0.25, 0.06)


def _airways(
    build: Build, pose: Pose, projection: Projection, rng: np.random.Generator
) -> np.ndarray:
    canvas = projection.canvas()
    trunk, right, left = anatomy.trachea(build, pose.shift)
    projection.stroke(canvas, [trunk], 190, 0.115)
    projection.stroke(canvas, [right, left], 110, 0.075)
    if rng.random() < 0.6:
        y = build.height - build.dome[1] + rng.uniform(0.2, 0.35)
        bubble = ellipse(
            (rng.uniform(0.35, 0.6), y), (rng.uniform(0.1, 0.24), rng.uniform(0.05, 0.12))
        )
        projection.fill(canvas, bubble, int(rng.uniform(150, 255)))
    return _layer(projection, canvas, 0.4, 0.025)
