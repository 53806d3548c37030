"""From attenuation to a film: devices, exposure, noise, collimation and markers."""

from __future__ import annotations

import cv2
import numpy as np

from lungseg.phantoms.anatomy import LEFT, Build
from lungseg.phantoms.curves import ellipse, spline
from lungseg.phantoms.pose import Pose
from lungseg.phantoms.projection import Projection


def expose(
    attenuation: np.ndarray, pose: Pose, projection: Projection, rng: np.random.Generator
) -> np.ndarray:
    """The film's grey values, uint8 (H, W), bright where dense (as MONOCHROME2).

    Args:
        attenuation: float32 (H, W).
        pose: portable (AP) films come out noisier and flatter.
        projection: the film's geometry.
        rng: source of exposure and noise.
    """
    flatten = np.float32(rng.uniform(0.1, 0.45))
    detail = attenuation - flatten * (projection.soften(attenuation, 0.35) - 1.2)
    detail = np.where(attenuation > 0.02, detail, 0)
    gain = rng.uniform(0.75, 1.25) * (0.9 if pose.view == "AP" else 1.0)
    exposed = 1.0 - cv2.exp(-np.maximum(detail, 0) * np.float32(gain))
    # Quantum noise grows where few photons arrive; white noise, slightly blurred by the detector.
    white = rng.standard_normal(attenuation.shape, dtype=np.float32)
    grain = cv2.GaussianBlur(white, (0, 0), 0.6)
    strength = rng.uniform(0.004, 0.016) * (1.5 if pose.view == "AP" else 1.0)
    exposed += grain * (np.float32(strength) * (0.5 + exposed))
    black, white_level = rng.uniform(-0.03, 0.1), rng.uniform(0.88, 1.02)
    gamma = rng.uniform(0.8, 1.3)
    levels = np.clip(black + (white_level - black) * exposed, 0.0, 1.0)
    lookup = (255 * np.linspace(0, 1, 1024) ** gamma).astype(np.uint8)
    return lookup[(levels * 1023).astype(np.int16)]


def devices(
    build: Build, pose: Pose, projection: Projection, rng: np.random.Generator
) -> np.ndarray:
    """Attenuation of pacemakers, lines and electrodes, float32 (H, W); mostly nothing."""
    canvas = projection.canvas()
    portable = pose.view == "AP"
    if build.age > 55 and rng.random() < 0.12:
        _pacemaker(build, projection, canvas, rng)
    if rng.random() < (0.5 if portable else 0.03):
        side = rng.choice([-1, 1])
        line = [(side * 0.25, -0.8), (side * 0.2, -0.1), (-0.12, 0.35), (-0.15, 0.9)]
        projection.stroke(canvas, [spline(line)], 150, 0.02)
    if rng.random() < (0.35 if portable else 0.02):
        tube = spline([(0.0, -1.2), (0.01, -0.3), (0.01, 0.38 * build.height / 2.1)])
        projection.stroke(canvas, [tube], 120, 0.05)
        projection.stroke(canvas, [tube], 200, 0.012)
    if rng.random() < (0.5 if portable else 0.03):
        for _ in range(rng.integers(1, 4)):
            spot = np.array([rng.uniform(-0.9, 0.9), rng.uniform(0.2, build.height)])
            end = (spot[0] * 1.6, build.height + 0.9)
            lead = spline(np.array([spot, spot + rng.normal(0, 0.4, 2), end]))
            projection.stroke(canvas, [lead], 110, 0.015)
            projection.fill(canvas, ellipse((spot[0], spot[1]), (0.04, 0.04)), 190)
    return canvas.astype(np.float32) * np.float32(1.1 / 255)


def _pacemaker(
    build: Build, projection: Projection, canvas: np.ndarray, rng: np.random.Generator
) -> None:
    x, y = rng.uniform(0.62, 0.85), rng.uniform(0.28, 0.45)
    case = ellipse((x, y), (0.15, 0.13), rng.uniform(-0.4, 0.4))
    projection.fill(canvas, case, 220)
    tip = (rng.uniform(0.1, 0.35), 0.72 * build.height)
    lead = [(x, y - 0.1), (x - 0.2, y - 0.2), (0.2, 0.3), (-0.12, 0.5), (-0.2, 1.0), tip]
    projection.stroke(canvas, [spline(lead)], 190, 0.018)


def collimate(
    film: np.ndarray, pose: Pose, projection: Projection, rng: np.random.Generator
) -> np.ndarray:
    """Cover some margins by the collimator's shadow and print the side marker.

    Args:
        film: uint8 (H, W).

    Returns:
        uint8 (H, W), a new film.
    """
    height, width = film.shape
    border = 250 if rng.random() < 0.08 else int(rng.uniform(0, 12))
    window = np.zeros_like(film)
    margins = rng.uniform(-0.05, 0.035, 4) * [width, height, width, height]
    left, top, right, bottom = np.maximum(margins, -2)
    corners = np.array(
        [
            (left, top),
            (width - right, top),
            (width - right, height - bottom),
            (left, height - bottom),
        ]
    )
    corners += rng.normal(0, 0.004, corners.shape) * (width, height) * (corners[:, :1] >= 0)
    cv2.fillConvexPoly(window, np.round(corners * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    weight = window.astype(np.float32) / 255
    framed = film * weight + border * (1 - weight)
    return _marker(framed.astype(np.uint8), pose, projection, rng)


def _marker(
    film: np.ndarray, pose: Pose, projection: Projection, rng: np.random.Generator
) -> np.ndarray:
    if rng.random() < 0.15:
        return film
    height, width = film.shape
    left = pose.side == LEFT
    scale = rng.uniform(0.0011, 0.0019) * max(height, width)
    x = width * (rng.uniform(0.86, 0.92) if left else rng.uniform(0.05, 0.1))
    y = height * rng.uniform(0.06, 0.14)
    shade = int(rng.uniform(215, 255))
    thickness = max(1, round(1.6 * scale))
    font = cv2.FONT_HERSHEY_SIMPLEX
    letter = "L" if left else "R"
    cv2.putText(film, letter, (int(x), int(y)), font, scale, shade, thickness, cv2.LINE_AA)
    if rng.random() < 0.5:
        below = (int(x), int(y + 22 * scale))
        name = pose.view.lower()
        cv2.putText(
            film, name, below, font, scale * 0.5, shade, max(1, thickness // 2), cv2.LINE_AA
        )
    return film
