"""Soft organs of a phantom: body, lungs, heart and mediastinum, as outlines.

Anatomical coordinates: x = 0 is the midline, x > 0 the patient's left (the image right), y = 0
the top of the lungs, y grows downwards; the unit is half the inner width of the thorax.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungseg.phantoms.curves import Points, ellipse, mirrored, spline

RIGHT, LEFT = -1, 1
"""The patient's sides as signs of x."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What stays the same on every film of a patient; lengths in half thorax widths."""

    sex: str
    age: int
    height: float
    """From the lung apex down to the costophrenic angle."""
    barrel: float
    """0: the chest tapers upwards as usual; larger: it is wide at the top too."""
    apex: float
    """Distance of the lung apices from the midline."""
    fat: float
    """Thickness of the soft tissue beside the ribs."""
    shoulder: float
    """How far the shoulders stand above (negative) or below the lung apex."""
    heart: float
    """Cardiothoracic ratio."""
    aorta: float
    """How far the aortic knob bulges to the left."""
    dome: tuple[float, float]
    """Height of the right and the left diaphragm dome above its costophrenic angle."""
    rib_slope: float
    bone: float
    """Density of bone, 1 for a healthy adult."""


def sample_build(rng: np.random.Generator) -> Build:
    """A random patient."""
    sex = "F" if rng.random() < 0.5 else "M"
    age = int(np.clip(rng.normal(52, 18), 18, 90))
    height = float(np.clip(rng.normal(2.02 if sex == "M" else 1.92, 0.16), 1.6, 2.4))
    right = float(rng.uniform(0.36, 0.56))
    return Build(
        sex=sex,
        age=age,
        height=height,
        barrel=float(rng.uniform(0.0, 0.07)),
        apex=float(rng.uniform(0.33, 0.42)),
        fat=float(rng.gamma(2.0, 0.06) + 0.06),
        shoulder=float(rng.normal(0.05, 0.09)),
        heart=float(np.clip(rng.normal(0.455, 0.04), 0.36, 0.54)),
        aorta=float(rng.uniform(0.0, 0.06) + 0.0008 * max(age - 40, 0)),
        dome=(right, right - float(rng.uniform(0.0, 0.12))),
        rib_slope=float(rng.uniform(0.34, 0.5)),
        bone=float(rng.uniform(0.85, 1.15) - 0.003 * max(age - 55, 0)),
    )


def chest_wall(build: Build) -> Points:
    """Inner wall of the left thorax, from the apex's medial end to the costophrenic angle."""
    knots = np.array(
        [
            (build.apex - 0.24, 0.26),
            (build.apex - 0.17, 0.07),
            (build.apex, 0.0),
            (build.apex + 0.19 + build.barrel, 0.08),
            (0.73 + build.barrel, 0.34),
            (0.87 + build.barrel / 2, 0.72),
            (0.945, 1.2),
            (0.985, 1.7),
            (0.985, 2.06),
            (0.955, 2.28),
        ]
    )
    return spline(knots * (1.0, build.height / 2.28))


def wall_x(build: Build, y: np.ndarray) -> np.ndarray:
    """Distance of the inner chest wall from the midline at the heights y."""
    wall = chest_wall(build)[16:]
    return np.interp(y, wall[:, 1], wall[:, 0])


def diaphragm(build: Build, side: int, lowered: float = 0.0) -> Points:
    """The dome of one side, from the costophrenic angle to the midline; `lowered` flattens it."""
    start, angle = chest_wall(build)[-1]
    top = angle - build.dome[0 if side == RIGHT else 1] + lowered
    crest = 0.36
    x = np.linspace(start, 0.02, 40)
    lateral = np.clip((x - crest) / (start - crest), 0.0, 1.0) ** 2.3 * (angle - top)
    medial = np.clip((crest - x) / crest, 0.0, 1.0) ** 2 * 0.09
    return mirrored(np.column_stack([x, top + lateral + medial]), side)


def pleura(build: Build, side: int, lowered: float = 0.0) -> Points:
    """Outline of one pleural cavity; its medial part lies behind the mediastinum."""
    wall = mirrored(chest_wall(build), side)
    medial = mirrored(np.array([(0.02, 1.0), (0.02, 0.4)]), side)
    return np.vstack([wall, diaphragm(build, side, lowered), medial])


def mediastinum(build: Build, shift: float) -> Points:
    """Outline of the great vessels and the heart together, moved sideways by `shift`."""
    s = build.height / 2.1
    base = build.height - min(build.dome) + 0.35
    right, left = 0.36 * 2 * build.heart, 0.64 * 2 * build.heart
    apex_y = build.height - build.dome[1] - 0.06
    heart_top = min(0.94 * s, apex_y - 0.42)
    length = apex_y - heart_top
    knob = 0.24 + build.aorta
    right_border = [
        (-0.15, -0.6),
        (-0.135, 0.0),
        (-0.15, 0.30 * s),
        (-0.185, 0.62 * s),
        (-0.20, heart_top - 0.08),
        (-right * 0.90, heart_top + 0.35 * length),
        (-right, heart_top + 0.65 * length),
        (-right * 0.90, apex_y + 0.06),
        (-right * 0.75, base),
    ]
    left_border = [
        (left * 0.80, base),
        (left * 0.96, apex_y + 0.10),
        (left, heart_top + 0.88 * length),
        (left * 0.90, heart_top + 0.60 * length),
        (left * 0.70, heart_top + 0.30 * length),
        (0.24 + build.aorta / 2, heart_top - 0.02),
        (0.21, heart_top - 0.17),
        (knob - 0.015, heart_top - 0.31),
        (knob - 0.03, heart_top - 0.43),
        (0.155, heart_top - 0.58),
        (0.135, 0.0),
        (0.15, -0.6),
    ]
    return spline(right_border + left_border) + np.array([shift, 0.0])


def torso(build: Build) -> Points:
    """Outline of neck, shoulders and trunk without the arms; it runs off the film below."""
    side = 1.0 + build.fat
    shoulder = build.shoulder
    half = [
        (0.46, -1.5),
        (0.45, -0.75),
        (0.52, -0.45 + shoulder / 2),
        (0.72, -0.29 + shoulder / 2),
        (1.05, -0.16 + shoulder),
        (1.38, -0.06 + shoulder),
        (1.62, 0.16 + shoulder),
        (1.58, 0.6),
        (side + 0.18, 0.95),
        (side + 0.07, 1.35),
        (side + 0.04, build.height - 0.1),
        (side + 0.02 + build.fat / 3, build.height + 0.4),
        (side + build.fat, build.height + 1.5),
    ]
    left = spline(half)
    return np.vstack([left, mirrored(left, RIGHT)[::-1]])


def arm(build: Build, side: int, abduction: float) -> Points:
    """Outline of an upper arm hanging beside the trunk, spread by `abduction`."""
    s = build.shoulder
    knots = [
        (1.25, 0.02 + s),
        (1.62, 0.18 + s),
        (1.78 + 0.3 * abduction, 0.8),
        (1.86 + abduction, 1.6),
        (1.95 + 1.3 * abduction, 2.6),
        (1.50 + 1.3 * abduction, 2.6),
        (1.40 + abduction, 1.6),
        (1.22 + 0.4 * abduction, 0.9),
    ]
    return mirrored(spline(knots, closed=True), side)


def breast(build: Build, side: int, size: float) -> Points:
    """Outline of a breast shadow over the lower lung."""
    centre = (side * (0.62 + build.fat / 2), 0.68 * build.height)
    return ellipse(centre, (0.42 + 0.25 * size, 0.36 + 0.3 * size), -side * 0.25)


def trachea(build: Build, shift: float) -> tuple[Points, Points, Points]:
    """Centre lines of the trachea, the right and the left main bronchus."""
    carina = 0.62 * build.height / 2.1
    trunk = spline([(0.0, -0.9), (0.0, 0.0), (0.01 + shift / 2, 0.3), (0.02 + shift, carina)])
    right = spline([(0.02 + shift, carina), (-0.08, carina + 0.11), (-0.24, carina + 0.24)])
    left = spline([(0.02 + shift, carina), (0.12, carina + 0.11), (0.27, carina + 0.18)])
    return trunk, right, left
