"""How one film was taken: the patient's position, the exposure and the disease seen on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lungseg.phantoms.anatomy import LEFT, RIGHT, Build
from lungseg.phantoms.projection import Projection, project

FINDINGS = {"normal": 0.5, "opacity": 0.24, "nodule": 0.08, "effusion": 0.1, "cardiomegaly": 0.08}
"""Findings and how often they occur."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """What changes from film to film; lengths in half thorax widths."""

    view: str
    finding: str
    side: int
    """The side of a one-sided finding, and of the marker."""
    aspect: float
    """Film width over height."""
    thorax: float
    """Thorax width over film width."""
    offset: tuple[float, float]
    """Shift of the patient from the film's middle, in film widths and heights."""
    tilt: float
    """Radians."""
    shift: float
    """Sideways shift of the mediastinum, from a turned patient."""
    abduction: float
    """Spread of the arms."""
    scapula: float
    """How far the shoulder blades lie over the lungs."""
    clavicle: float
    """How far the clavicles are lifted."""
    fluid: float
    """Height of an effusion above the costophrenic angle."""


def sample_pose(rng: np.random.Generator) -> Pose:
    """A random film."""
    portable = rng.random() < 0.22
    return Pose(
        view="AP" if portable else "PA",
        finding=str(rng.choice(list(FINDINGS), p=list(FINDINGS.values()))),
        side=LEFT if rng.random() < 0.5 else RIGHT,
        aspect=float(rng.uniform(0.82, 1.16)),
        thorax=float(rng.uniform(0.66, 0.82)),
        offset=(float(rng.normal(0.0, 0.015)), float(rng.normal(0.0, 0.015))),
        tilt=float(rng.normal(0.0, 0.05 if portable else 0.022)),
        shift=float(rng.normal(0.0, 0.045 if portable else 0.02)),
        abduction=float(rng.uniform(-0.05, 0.35)),
        scapula=float(rng.uniform(0.08, 0.32) if portable else rng.uniform(-0.1, 0.18)),
        clavicle=float(rng.uniform(0.0, 0.22) if portable else rng.uniform(-0.1, 0.1)),
        fluid=float(rng.uniform(0.25, 0.65)),
    )


def posed(build: Build, pose: Pose) -> Build:
    """The patient as this film shows him: a shallower breath and a larger heart on AP films."""
    if pose.finding == "cardiomegaly":
        build = replace(build, heart=min(build.heart + 0.12, 0.62))
    if pose.view == "AP":
        build = replace(
            build, heart=min(build.heart * 1.06, 0.63), height=max(0.93 * build.height, 1.55)
        )
    return build


def frame(build: Build, pose: Pose, size: int) -> Projection:
    """Place the patient on a film whose longer side is `size` px."""
    width = size if pose.aspect >= 1 else round(size * pose.aspect)
    height = size if pose.aspect <= 1 else round(size / pose.aspect)
    unit = min(pose.thorax * width / 2, 0.82 * height / build.height)
    x = width * (0.5 + pose.offset[0])
    y = height * (0.5 + pose.offset[1]) - unit * (build.height / 2 - 0.04)
    return project(height, width, unit=unit, centre=(x, y), tilt=pose.tilt)
